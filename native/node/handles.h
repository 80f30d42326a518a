// The handles that JavaScript holds. The finalizers of Node-API wait for the event loop, so a program that never yields
// would keep every dropped buffer. Therefore handles are listed, and those that the garbage collector took are also
// freed when new ones are made: a collection is forced once the bytes held have doubled.
#pragma once
#include "node/node_api.h"

#include <memory>
#include <vector>

#include "runtime/buffer.h"

namespace morphmlp {

// The object behind a JavaScript handle: a shared buffer, or null after bufferFree.
struct Handle {
  std::shared_ptr<Buffer> buffer;
  napi_ref reference = nullptr;  // weak: empty once the handle was collected
  size_t place = 0;              // in the list
};
extern const napi_type_tag kHandleTag;

// The handle behind a JavaScript value; nullptr if it is not a handle of this addon.
Handle* handle_from(const Napi::Value& value);

class Handles {
 public:
  // Those of the calling thread, that is, of its environment.
  static Handles& here();

  // A new buffer. A collection is tried before memory runs out.
  std::shared_ptr<Buffer> allocate(Napi::Env env, DType dtype, Device device, int64_t length);
  Napi::Value create(Napi::Env env, std::shared_ptr<Buffer> buffer);
  // Gives a handle without a buffer a new one.
  void refill(Handle* handle, std::shared_ptr<Buffer> buffer);
  // Frees the buffer of a handle; false if it had none.
  bool release(Handle* handle);

 private:
  static constexpr int64_t kMinBytes = 128 << 20;
  static constexpr size_t kMinHandles = 1024;

  void forget(Napi::Env env, Handle* handle);
  void sweep(Napi::Env env);
  void collect(Napi::Env env);

  std::vector<Handle*> all_;
  size_t sweep_at_ = kMinHandles;  // handles
  int64_t held_ = 0;               // bytes
  int64_t collect_at_ = kMinBytes;
};

}  // namespace morphmlp
