#include "node/run.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "bindings/table.h"
#include "node/js_arguments.h"
#include "node/named.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;

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
  std::thread thread;

  // Ends the run, and waits for the step under way.
  void stop() {
    cancelled = true;
    if (thread.joinable()) thread.join();
  }

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

std::atomic<int> executing{0};

// A run on its thread. Not a Napi::AsyncWorker: the environment of a terminated worker would wait for all its steps,
// before it calls its hooks.
class Execution {
 public:
  Execution(Napi::Env env, RunPointer run) : run_(std::move(run)) {
    check(napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "morphmlp"), 0, 1, nullptr,
                                          nullptr, this, done, &done_));
    check(napi_add_env_cleanup_hook(env, abandon, this));  // called before `done_` is closed, as it is added later
  }

  Napi::Value start(Napi::Env env) {
    napi_value promise = nullptr;
    check(napi_create_promise(env, &deferred_, &promise));
    try {
      run_->thread = std::thread([this] { execute(); });
    } catch (const std::system_error& error) {
      failure_ = std::string("forwardAsync: the system starts no thread: ") + error.what();
      napi_call_threadsafe_function(done_, nullptr, napi_tsfn_blocking);
    }
    return {env, promise};
  }

 private:
  static void check(napi_status status) {
    if (status != napi_ok) fail("Node-API refuses a call: status " + std::to_string(status));
  }

  void execute() {
    set_current_run(run_.get());
    try {
      for (auto& step : run_->steps) {
        if (run_->cancelled) break;
        step();
        step = nullptr;  // frees what no later step uses
      }
    } catch (const std::exception& error) {
      failure_ = error.what();
    }
    napi_call_threadsafe_function(done_, nullptr, napi_tsfn_blocking);
  }

  // On the event loop. `env` is null after the environment has ended and `abandon` was called.
  static void done(napi_env env, napi_value, void* self, void*) {
    if (!env) return;
    const std::unique_ptr<Execution> execution(static_cast<Execution*>(self));
    napi_remove_env_cleanup_hook(env, abandon, self);
    execution->run_->stop();
    execution->run_->finish();
    napi_value value = nullptr;  // the calls below fail if the environment is about to end: nobody waits then
    const auto& failure = execution->failure_;
    if (failure)
      napi_create_string_utf8(env, failure->data(), failure->size(), &value);
    else
      napi_get_undefined(env, &value);
    napi_resolve_deferred(env, execution->deferred_, value);
    napi_release_threadsafe_function(execution->done_, napi_tsfn_release);
  }

  // The environment ends.
  static void abandon(void* self) {
    const std::unique_ptr<Execution> execution(static_cast<Execution*>(self));
    execution->run_->stop();
    execution->run_->finish();
  }

  // Counts the executions of all environments of the process.
  struct Counted {
    Counted() { ++executing; }
    ~Counted() { --executing; }
  };

  Counted counted_;
  RunPointer run_;
  napi_threadsafe_function done_ = nullptr;
  napi_deferred deferred_ = nullptr;
  std::optional<std::string> failure_;
};

Napi::Value start(const Info& info) {
  RunPointer run = run_of(info[0]);
  if (run->started) fail("it was started before");
  run->started = true;
  return (new Execution(info.Env(), std::move(run)))->start(info.Env());
}

Napi::Value cancel(const Info& info) {
  run_of(info[0])->cancelled = true;
  return info.Env().Undefined();
}

Napi::Value stop(const Info& info) {
  run_of(info[0])->stop();
  return info.Env().Undefined();
}

}  // namespace

bool run_executes() { return executing > 0; }

void export_runs(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    add_function(env, exports, name, function);
  };
  add("runPrepare", named<prepare>);
  add("runStart", named<start>);
  add("runCancel", named<cancel>);
  add("runStop", named<stop>);
}

}  // namespace morphmlp
