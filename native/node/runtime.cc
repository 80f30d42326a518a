#include "node/runtime.h"

#include <dlfcn.h>

#include <cmath>

#include "node/js_arguments.h"
#include "node/named.h"
#include "node/run.h"
#include "runtime/allocator.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"
#include "runtime/guard_pages.h"
#include "runtime/perf.h"
#include "runtime/threads.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;

// Turns C++ exceptions into JavaScript errors prefixed with the name of the function.
[[noreturn]] void bad(const char* argument, const std::string& expected, const std::string& got) {
  fail(std::string("argument ") + argument + ": expected " + expected + ", got " + got);
}

std::string string_of(const Napi::Value& value, const char* argument, const char* expected) {
  if (!value.IsString()) bad(argument, expected, describe(value));
  return value.As<Napi::String>();
}

// An integer from `least` to `most`.
int64_t integer_of(const Napi::Value& value, const char* argument, int64_t least, int64_t most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (number >= static_cast<double>(least) && number <= static_cast<double>(most) && number == std::floor(number))
    return static_cast<int64_t>(number);
  bad(argument, "a whole number from " + std::to_string(least) + " to " + std::to_string(most), describe(value));
}

Handle* handle_of(const Napi::Value& value) {
  Handle* handle = handle_from(value);
  if (!handle) bad("handle", "a buffer", describe(value));
  return handle;
}

Buffer& live_buffer(const Napi::Value& value) {
  Buffer* buffer = handle_of(value)->buffer.get();
  if (!buffer) bad("handle", "a buffer", "a freed buffer");
  return *buffer;
}

// bufferNew(dtype, device, length[, spare]): `spare`, a freed handle that nobody else uses, is used again.
Napi::Value buffer_new(const Info& info) {
  const DType dtype = dtype_from(string_of(info[0], "dtype", "f32, bf16, i32 or u8"));
  const Device device = device_from(string_of(info[1], "device", "cpu or cuda"));
  const int64_t length = integer_of(info[2], "length", 0, int64_t{1} << 53);
  Handle* spare = info[3].IsUndefined() ? nullptr : handle_of(info[3]);
  if (spare && spare->buffer) bad("spare", "a freed buffer", "one in use");
  if (device == Device::cuda) kernels_for(device);
  Handles& handles = Handles::here();
  auto buffer = handles.allocate(info.Env(), dtype, device, length);
  if (!spare) return handles.create(info.Env(), std::move(buffer));
  handles.refill(spare, std::move(buffer));
  return info[3];
}

// bufferFree(handle): false if it was freed before.
Napi::Value buffer_free(const Info& info) {
  return Napi::Boolean::New(info.Env(), Handles::here().release(handle_of(info[0])));
}

// bufferVersion(handle): how often the buffer was written.
Napi::Value buffer_version(const Info& info) {
  const Buffer& buffer = live_buffer(info[0]);
  expect_idle(buffer, "the buffer", false);
  return Napi::Number::New(info.Env(), static_cast<double>(buffer.version));
}

// The data of a typed array of exactly `bytes` bytes.
void* array_of(const Info& info, size_t bytes, const std::string& whose) {
  if (!info[1].IsTypedArray()) bad("array", "a typed array", describe(info[1]));
  const size_t found = info[1].As<Napi::TypedArray>().ByteLength();
  if (found != bytes) bad("array", std::to_string(bytes) + " bytes, as " + whose + " has", std::to_string(found));
  void* js = nullptr;  // not TypedArray::Data: the array may be backed by a SharedArrayBuffer
  napi_get_typedarray_info(info.Env(), info[1], nullptr, nullptr, &js, nullptr, nullptr);
  return js;
}

// bufferWrite(handle, array) writes the whole buffer; bufferWrite(handle, array, first, length) a range of elements.
Napi::Value buffer_write(const Info& info) {
  Buffer& buffer = live_buffer(info[0]);
  expect_idle(buffer, "the buffer", true);
  if (info[2].IsUndefined()) {
    buffer.write(array_of(info, buffer.bytes(), "the buffer"), 0, buffer.bytes());
    return info.Env().Undefined();
  }
  const int64_t first = integer_of(info[2], "first", 0, buffer.length);
  const size_t width = dtype_bytes(buffer.dtype);
  const size_t count = static_cast<size_t>(integer_of(info[3], "length", 0, buffer.length - first)) * width;
  buffer.write(array_of(info, count, "the range"), static_cast<size_t>(first) * width, count);
  return info.Env().Undefined();
}

Napi::Value buffer_read(const Info& info) {
  const Buffer& buffer = live_buffer(info[0]);
  expect_idle(buffer, "the buffer", false);
  buffer.read(array_of(info, buffer.bytes(), "the buffer"));
  return info.Env().Undefined();
}

bool has_cuda() { return cuda_status() == "available"; }

// memory([device]): statistics of a device, or summed over all devices, whose peaks need not coincide.
Napi::Value memory(const Info& info) {
  const bool all = info[0].IsUndefined();
  const Device device = all ? Device::cpu : device_from(string_of(info[0], "device", "cpu or cuda"));
  MemoryStats stats = device == Device::cpu ? memory_stats() : MemoryStats{};
  if ((all || device == Device::cuda) && has_cuda()) stats += cuda::memory_stats();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("live", static_cast<double>(stats.live));
  out.Set("cached", static_cast<double>(stats.cached));
  out.Set("peak", static_cast<double>(stats.peak));
  out.Set("liveBlocks", static_cast<double>(stats.live_blocks));
  return out;
}

Napi::Value memory_reset_peak(const Info& info) {
  reset_peak();
  if (has_cuda()) cuda::reset_peak();
  return info.Env().Undefined();
}

Napi::Value memory_release_cache(const Info& info) {
  release_cache();
  if (has_cuda()) cuda::release_cache();
  return info.Env().Undefined();
}

Napi::Value memory_poison(const Info& info) {
  poison_cache();
  if (has_cuda()) cuda::poison_cache();
  return info.Env().Undefined();
}

Napi::Value memory_guard(const Info& info) {
  if (!info[0].IsBoolean()) bad("on", "true or false", describe(info[0]));
  enable_guards(info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

Napi::Value threads_get(const Info& info) { return Napi::Number::New(info.Env(), thread_count()); }

Napi::Value threads_set(const Info& info) {
  set_thread_count(static_cast<int>(integer_of(info[0], "threads", 1, kMaxThreads)));
  return info.Env().Undefined();
}

Napi::Value isa_get(const Info& info) { return Napi::String::New(info.Env(), current_isa()); }

Napi::Value isa_set(const Info& info) {
  if (run_executes()) fail("forwardAsync computes with the present one: await it first");
  set_isa(string_of(info[0], "name", "the name of an instruction set"));
  return info.Env().Undefined();
}

Napi::Value isa_list(const Info& info) {
  const std::vector<std::string> names = available_isas();
  Napi::Array out = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); ++i) out.Set(i, names[i]);
  return out;
}

// fmaPeak(seconds, device = 'cpu', precision = 'f32')
Napi::Value fma_peak(const Info& info) {
  const double seconds = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(seconds > 0 && seconds <= 10)) bad("seconds", "a number above 0, at most 10", describe(info[0]));
  const Device device = info[1].IsUndefined() ? Device::cpu : device_from(string_of(info[1], "device", "cpu or cuda"));
  const std::string precision = info[2].IsUndefined() ? "f32" : string_of(info[2], "precision", "f32 or bf16");
  const bool bf16 = precision == "bf16";
  if (precision != "f32" && !bf16) bad("precision", "f32 or bf16", precision);
  kernels_for(device);
  if (device == Device::cpu) return Napi::Number::New(info.Env(), measure_fma_peak(seconds, bf16));
  const auto measure = bf16 ? cuda::measure_mma_peak : cuda::measure_fma_peak;
  return Napi::Number::New(info.Env(), measure(seconds));
}

// perfOpen([[type, config], ...]): null, or why the system offers no counters.
Napi::Value open_counters(const Info& info) {
  if (!info[0].IsArray()) bad("events", "a list of [type, config]", describe(info[0]));
  const Napi::Array list = info[0].As<Napi::Array>();
  std::vector<PerfEvent> events;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value item = list[i];
    if (!item.IsArray()) bad("events", "a list of [type, config]", describe(item));
    const Napi::Array pair = item.As<Napi::Array>();
    events.push_back({static_cast<uint32_t>(integer_of(pair[0u], "type", 0, 1000)),
                      static_cast<uint64_t>(integer_of(pair[1u], "config", 0, 1LL << 52))});
  }
  const std::string reason = perf_open(events);
  return reason.empty() ? info.Env().Null() : Napi::String::New(info.Env(), reason);
}

Napi::Value read_counters(const Info& info) {
  const std::vector<double> counts = perf_read();
  Napi::Array out = Napi::Array::New(info.Env(), counts.size());
  for (uint32_t i = 0; i < counts.size(); ++i) out.Set(i, counts[i]);
  return out;
}

Napi::Value close_counters(const Info& info) {
  perf_close();
  return info.Env().Undefined();
}

// Keeps the library mapped: the pool's threads outlive every environment, including that of a worker that loaded it.
void stay_loaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stay_loaded), &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

}  // namespace

void export_runtime(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    add_function(env, exports, name, function);
  };
  add("bufferNew", named<buffer_new>);
  add("bufferFree", named<buffer_free>);
  add("bufferVersion", named<buffer_version>);
  add("bufferWrite", named<buffer_write>);
  add("bufferRead", named<buffer_read>);
  add("memory", named<memory>);
  add("memoryResetPeak", named<memory_reset_peak>);
  add("memoryReleaseCache", named<memory_release_cache>);
  add("memoryPoison", named<memory_poison>);
  add("memoryGuard", named<memory_guard>);
  add("threads", named<threads_get>);
  add("setThreads", named<threads_set>);
  add("isa", named<isa_get>);
  add("setIsa", named<isa_set>);
  add("isas", named<isa_list>);
  add("fmaPeak", named<fma_peak>);
  add("perfOpen", named<open_counters>);
  add("perfRead", named<read_counters>);
  add("perfClose", named<close_counters>);
}

}  // namespace morphmlp
