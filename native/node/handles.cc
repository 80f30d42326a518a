#include "node/handles.h"

#include <algorithm>
#include <exception>

namespace morphmlp {

const napi_type_tag kHandleTag = {0x6d6f7270686d6c70ULL, 0x68616e646c653031ULL};

Handle* handle_from(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kHandleTag, &tagged);
  return tagged ? value.As<Napi::External<Handle>>().Data() : nullptr;
}

Handles& Handles::here() {
  static thread_local Handles handles;
  return handles;
}

std::shared_ptr<Buffer> Handles::allocate(Napi::Env env, DType dtype, Device device, int64_t length) {
  if (held_ > collect_at_) collect(env);
  try {
    return std::make_shared<Buffer>(dtype, device, length);
  } catch (const std::exception&) {
    const int64_t before = held_;
    collect(env);
    if (held_ == before) throw;
  }
  return std::make_shared<Buffer>(dtype, device, length);
}

Napi::Value Handles::create(Napi::Env env, std::shared_ptr<Buffer> buffer) {
  if (all_.size() >= sweep_at_) sweep(env);
  auto handle = std::make_unique<Handle>();
  const auto external = Napi::External<Handle>::New(env, handle.get());
  napi_type_tag_object(env, external, &kHandleTag);
  const napi_finalize collected = [](napi_env env, void* data, void*) {
    here().forget(env, static_cast<Handle*>(data));
  };
  const napi_status status = napi_add_finalizer(env, external, handle.get(), collected, nullptr, &handle->reference);
  if (status != napi_ok) throw Napi::Error::New(env);
  handle->place = all_.size();
  all_.push_back(handle.get());
  refill(handle.release(), std::move(buffer));  // now owned by the list
  return external;
}

void Handles::refill(Handle* handle, std::shared_ptr<Buffer> buffer) {
  held_ += static_cast<int64_t>(buffer->bytes());
  handle->buffer = std::move(buffer);
}

bool Handles::release(Handle* handle) {
  if (!handle->buffer) return false;
  held_ -= static_cast<int64_t>(handle->buffer->bytes());
  handle->buffer.reset();
  return true;
}

void Handles::forget(Napi::Env env, Handle* handle) {
  release(handle);
  napi_delete_reference(env, handle->reference);  // and with it a finalizer that has not run
  all_[handle->place] = all_.back();
  all_[handle->place]->place = handle->place;
  all_.pop_back();
  delete handle;
}

void Handles::sweep(Napi::Env env) {
  const Napi::HandleScope scope(env);
  for (size_t i = all_.size(); i-- > 0;) {
    napi_value value = nullptr;
    if (napi_get_reference_value(env, all_[i]->reference, &value) == napi_ok && !value) forget(env, all_[i]);
  }
  sweep_at_ = std::max(kMinHandles, 2 * all_.size());
}

void Handles::collect(Napi::Env env) {
  // Node-API cannot ask for a collection, but V8 collects at once when much more external memory is reported.
  constexpr int64_t kPressure = int64_t{1} << 50;
  Napi::MemoryManagement::AdjustExternalMemory(env, kPressure);
  Napi::MemoryManagement::AdjustExternalMemory(env, -kPressure);
  sweep(env);
  collect_at_ = std::max(kMinBytes, 2 * held_);
}

}  // namespace morphmlp
