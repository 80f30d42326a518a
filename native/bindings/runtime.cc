#include "bindings/runtime.h"

#include <dlfcn.h>

#include <cstring>

#include "bindings/args.h"
#include "bindings/external_memory.h"
#include "runtime/allocator.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"
#include "runtime/threads.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;

// Turns C++ exceptions into JavaScript errors.
template <Napi::Value (*body)(const Info&)>
Napi::Value guarded(const Info& info) {
  try {
    return body(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

Handle* handle_of(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kHandleTag, &tagged);
  if (!tagged) fail("expected a buffer handle");
  return value.As<Napi::External<Handle>>().Data();
}

Buffer& live_buffer(const Napi::Value& value) {
  Buffer* buffer = handle_of(value)->buffer.get();
  if (!buffer) fail("the buffer was freed");
  return *buffer;
}

void forget(Napi::Env env, Handle* handle) {
  if (!handle->buffer) return;
  ExternalMemory::here().add(env, -static_cast<int64_t>(handle->buffer->bytes()));
  handle->buffer.reset();
}

Napi::Value buffer_new(const Info& info) {
  const DType dtype = dtype_from(info[0].As<Napi::String>());
  const Device device = device_from(info[1].As<Napi::String>());
  const double length = info[2].As<Napi::Number>().DoubleValue();
  if (!(length >= 0 && length <= 9007199254740992.0)) fail("a buffer of " + std::to_string(length) + " elements");
  if (device == Device::cuda) kernels_for(device);
  auto* handle = new Handle{std::make_shared<Buffer>(dtype, device, static_cast<int64_t>(length))};
  ExternalMemory::here().add(info.Env(), static_cast<int64_t>(handle->buffer->bytes()));
  auto external = Napi::External<Handle>::New(info.Env(), handle, [](Napi::Env env, Handle* h) {
    forget(env, h);
    delete h;
  });
  napi_type_tag_object(info.Env(), external, &kHandleTag);
  return external;
}

Napi::Value buffer_free(const Info& info) {
  forget(info.Env(), handle_of(info[0]));
  return info.Env().Undefined();
}

// Copies between a typed array and the whole buffer; the byte lengths must agree.
Napi::Value copy(const Info& info, bool write) {
  Buffer& buffer = live_buffer(info[0]);
  if (!info[1].IsTypedArray()) fail("expected a typed array");
  Napi::TypedArray array = info[1].As<Napi::TypedArray>();
  if (array.ByteLength() != buffer.bytes())
    fail("a buffer of " + std::to_string(buffer.bytes()) + " bytes and an array of " +
         std::to_string(array.ByteLength()) + " bytes");
  char* js = static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  if (buffer.bytes() != 0)
    write ? std::memcpy(buffer.data, js, buffer.bytes()) : std::memcpy(js, buffer.data, buffer.bytes());
  if (write) ++buffer.version;
  return info.Env().Undefined();
}

Napi::Value buffer_write(const Info& info) { return copy(info, true); }
Napi::Value buffer_read(const Info& info) { return copy(info, false); }

Napi::Value memory(const Info& info) {
  const MemoryStats stats = memory_stats();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("live", static_cast<double>(stats.live));
  out.Set("cached", static_cast<double>(stats.cached));
  out.Set("peak", static_cast<double>(stats.peak));
  out.Set("liveBlocks", static_cast<double>(stats.live_blocks));
  return out;
}

Napi::Value memory_reset_peak(const Info& info) {
  reset_peak();
  return info.Env().Undefined();
}

Napi::Value memory_release_cache(const Info& info) {
  release_cache();
  return info.Env().Undefined();
}

Napi::Value threads_get(const Info& info) { return Napi::Number::New(info.Env(), thread_count()); }

Napi::Value threads_set(const Info& info) {
  const double n = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  set_thread_count(n >= 1 && n <= 256 ? static_cast<int>(n) : 0);
  return info.Env().Undefined();
}

Napi::Value isa_get(const Info& info) { return Napi::String::New(info.Env(), current_isa()); }

Napi::Value isa_set(const Info& info) {
  set_isa(info[0].As<Napi::String>());
  return info.Env().Undefined();
}

Napi::Value isa_list(const Info& info) {
  const std::vector<std::string> names = available_isas();
  Napi::Array out = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); ++i) out.Set(i, names[i]);
  return out;
}

Napi::Value fma_peak(const Info& info) {
  const double seconds = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(seconds > 0 && seconds <= 10)) fail("fmaPeak: expected 0 to 10 seconds");
  return Napi::Number::New(info.Env(), measure_fma_peak(seconds));
}

Napi::Value cuda(const Info& info) { return Napi::String::New(info.Env(), cuda_status()); }

// The pool's threads outlive every environment, so the library must never be unmapped, also not when a worker thread
// that loaded it ends.
void stay_loaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stay_loaded), &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

}  // namespace

void export_runtime(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  const auto add = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("bufferNew", guarded<buffer_new>);
  add("bufferFree", guarded<buffer_free>);
  add("bufferWrite", guarded<buffer_write>);
  add("bufferRead", guarded<buffer_read>);
  add("memory", guarded<memory>);
  add("memoryResetPeak", guarded<memory_reset_peak>);
  add("memoryReleaseCache", guarded<memory_release_cache>);
  add("threads", guarded<threads_get>);
  add("setThreads", guarded<threads_set>);
  add("isa", guarded<isa_get>);
  add("setIsa", guarded<isa_set>);
  add("isas", guarded<isa_list>);
  add("cudaStatus", guarded<cuda>);
  add("fmaPeak", guarded<fma_peak>);
}

}  // namespace morphmlp
