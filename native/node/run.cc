#include "node/run.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bindings/table.h"
#include "node/js_arguments.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;
using Lock = std::unique_lock<std::recursive_mutex>;

std::atomic<int> waiting{0};  // calls of event loops that wait for their turn

// Never destroyed: a run may be under way while the process exits.
std::recursive_mutex& turns() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

Lock take_turn_after_others() {
  while (waiting > 0) std::this_thread::yield();
  return Lock{turns()};
}

// The arguments of a recorded call. They share the buffers, which may be freed in JavaScript before the call runs.
class RecordedArguments : public Source {
 public:
  // `call`: the name of a kernel, then its arguments.
  explicit RecordedArguments(const Napi::Array& call) {
    for (uint32_t i = 1; i < call.Length(); ++i) {
      const Napi::Value value = call[i];
      arguments_.push_back(argument_from(value));
      items_.emplace_back();
      if (!value.IsArray()) continue;
      const auto list = value.As<Napi::Array>();
      for (uint32_t j = 0; j < list.Length(); ++j) items_.back().push_back(argument_from(list[j]));
    }
  }

  size_t count() const override { return arguments_.size(); }
  Argument at(size_t i, const char*) const override { return arguments_[i]; }
  Argument item(size_t i, size_t in_list) const override { return items_[i][in_list]; }

  bool any_bf16() const override {
    for (const Argument& argument : arguments_)
      if (argument.buffer && argument.buffer->dtype == DType::bf16) return true;
    return false;
  }

  void add_buffers(std::set<std::shared_ptr<Buffer>>& into) const {
    for (const Argument& argument : arguments_)
      if (argument.buffer) into.insert(argument.buffer);
    for (const auto& list : items_)
      for (const Argument& item : list)
        if (item.buffer) into.insert(item.buffer);
  }

 private:
  std::vector<Argument> arguments_;
  std::vector<std::vector<Argument>> items_;
};

struct Run {
  std::vector<std::function<void()>> steps;
  std::vector<std::weak_ptr<Buffer>> made, read;  // weak: a buffer may be freed after the last step that uses it
  std::atomic<bool> cancelled{false};
  bool started = false;

  void claim() {
    for_each(made, [this](Buffer& buffer) { buffer.made_by = this; });
    for_each(read, [](Buffer& buffer) { ++buffer.read_by; });
  }

  // Frees what the remaining steps hold, and lets everybody use the rest.
  void finish() {
    steps.clear();
    for_each(made, [](Buffer& buffer) { buffer.made_by = nullptr; });
    for_each(read, [](Buffer& buffer) { --buffer.read_by; });
  }

 private:
  template <class Body>
  static void for_each(const std::vector<std::weak_ptr<Buffer>>& list, const Body& body) {
    for (const auto& weak : list)
      if (const std::shared_ptr<Buffer> buffer = weak.lock()) body(*buffer);
  }
};
using RunPointer = std::shared_ptr<Run>;

const Callable& kernel_named(const std::string& name) {
  for (const Callable& kernel : callables())
    if (name == kernel.name) return kernel;
  fail("there is no kernel named " + name);
}

std::shared_ptr<Buffer> buffer_of(const Napi::Value& value) {
  const Handle* handle = handle_from(value);
  if (!handle || !handle->buffer) fail("expected a live buffer, got " + describe(value));
  return handle->buffer;
}

// ["bufferWrite", handle, bytes, offset in bytes]
std::function<void()> write_step(const Napi::Array& call, std::set<std::shared_ptr<Buffer>>& used) {
  const auto buffer = buffer_of(call[1]);
  const Napi::Value bytes = call[2], offset = call[3];
  if (!bytes.IsTypedArray() || !offset.IsNumber()) fail("bufferWrite: expected bytes and an offset");
  const auto array = bytes.As<Napi::TypedArray>();
  const auto first = static_cast<size_t>(offset.As<Napi::Number>().Int64Value());
  if (first + array.ByteLength() > buffer->bytes()) fail("bufferWrite: the bytes do not fit into the buffer");
  const char* data = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  used.insert(buffer);
  return [buffer, first, copy = std::vector<char>(data, data + array.ByteLength())] {
    buffer->write(copy.data(), first, copy.size());
  };
}

std::function<void()> step_of(const Napi::Array& call, std::set<std::shared_ptr<Buffer>>& used) {
  const std::string name = Napi::Value(call[0u]).As<Napi::String>();
  if (name == "bufferWrite") return write_step(call, used);
  const Callable& kernel = kernel_named(name);
  RecordedArguments arguments(call);
  arguments.add_buffers(used);
  return [&kernel, arguments] { kernel.run(arguments); };
}

// The item of `list` at `i`, an array.
Napi::Array array_in(const Napi::Array& list, uint32_t i) {
  const Napi::Value value = list[i];
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0) fail("steps: expected arrays, got " + describe(value));
  return value.As<Napi::Array>();
}

const napi_type_tag kRunTag = {0x6d6f7270686d6c70ULL, 0x72756e3030303031ULL};

RunPointer run_of(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kRunTag, &tagged);
  if (!tagged) fail("run: expected one of runPrepare, got " + describe(value));
  return *value.As<Napi::External<RunPointer>>().Data();
}

Napi::Value prepare(const Info& info) {
  if (!info[0].IsArray() || !info[1].IsArray()) fail("expected arrays of steps and of buffers");
  const auto steps = info[0].As<Napi::Array>(), made = info[1].As<Napi::Array>();
  auto run = std::make_shared<Run>();
  std::set<std::shared_ptr<Buffer>> own, used;
  for (uint32_t i = 0; i < made.Length(); ++i) own.insert(buffer_of(made[i]));
  for (uint32_t i = 0; i < steps.Length(); ++i) run->steps.push_back(step_of(array_in(steps, i), used));
  for (const auto& buffer : used) {
    if (own.count(buffer) != 0) continue;
    expect_idle(*buffer, "an input", false);
    run->read.push_back(buffer);
  }
  run->made.assign(own.begin(), own.end());
  run->claim();
  auto external =
      Napi::External<RunPointer>::New(info.Env(), new RunPointer(run), [](Napi::Env, RunPointer* r) { delete r; });
  napi_type_tag_object(info.Env(), external, &kRunTag);
  return external;
}

class Worker : public Napi::AsyncWorker {
 public:
  Worker(Napi::Env env, RunPointer run)
      : Napi::AsyncWorker(env, "morphmlp"), run_(std::move(run)), deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    set_current_run(run_.get());
    try {
      for (auto& step : run_->steps) {
        if (run_->cancelled) break;
        const Lock turn = take_turn_after_others();
        step();
        step = nullptr;  // frees what no later step uses
      }
    } catch (...) {
      set_current_run(nullptr);
      throw;
    }
    set_current_run(nullptr);
  }

  void OnOK() override { settle(Env().Undefined()); }
  void OnError(const Napi::Error& error) override { settle(Napi::String::New(Env(), error.Message())); }

 private:
  void settle(const Napi::Value& failure) {
    run_->finish();
    deferred_.Resolve(failure);
  }

  RunPointer run_;
  Napi::Promise::Deferred deferred_;
};

Napi::Value start(const Info& info) {
  RunPointer run = run_of(info[0]);
  if (run->started) fail("it was started before");
  run->started = true;
  auto* worker = new Worker(info.Env(), std::move(run));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

Napi::Value cancel(const Info& info) {
  run_of(info[0])->cancelled = true;
  return info.Env().Undefined();
}

template <Napi::Value (*body)(const Info&)>
Napi::Value named(const Info& info) {
  try {
    return body(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), std::string(static_cast<const char*>(info.Data())) + ": " + error.what());
  }
}

}  // namespace

Lock take_turn() {
  ++waiting;
  Lock turn(turns());
  --waiting;
  return turn;
}

void export_runs(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name, const_cast<char*>(name)));
  };
  add("runPrepare", named<prepare>);
  add("runStart", named<start>);
  add("runCancel", named<cancel>);
}

}  // namespace morphmlp
