// Tensor storage: one block of memory on one device, shared by std::shared_ptr.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace morphmlp {

enum class DType : uint8_t { f32, bf16, i32, u8 };
enum class Device : uint8_t { cpu, cuda };

size_t dtype_bytes(DType dtype);
const char* dtype_name(DType dtype);
DType dtype_from(const std::string& name);  // throws on an unknown name
const char* device_name(Device device);
Device device_from(const std::string& name);

// Data that a kernel derives from the contents of a buffer and caches in it, such as a weight packed for the GEMM.
struct Derived {
  virtual ~Derived() = default;
};

struct Buffer {
  Buffer(DType dtype, Device device, int64_t length);
  Buffer(DType dtype, Device device, int64_t length, void* borrowed);  // non-owning
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void write(const void* from, size_t offset, size_t count);  // copies `count` bytes from the host to byte `offset`
  void read(void* into) const;                                // copies `bytes()` bytes to the host

  size_t bytes() const { return static_cast<size_t>(length) * dtype_bytes(dtype); }

  const DType dtype;
  const Device device;
  const int64_t length;  // elements
  void* data;
  const bool owned = true;
  uint64_t version = 0;  // incremented by every write through a binding; a Derived of an older version is stale
  static constexpr int kDerivedSlots = 3;
  std::shared_ptr<Derived> derived[kDerivedSlots];
  uint64_t derived_version[kDerivedSlots] = {};
  // Set while a run beside the event loop (node/run.h) is under way.
  std::atomic<const void*> made_by{nullptr};  // the run that computes the buffer: nothing else may use it
  std::atomic<int> read_by{0};                // runs that read the buffer: nothing may write it
};

// The run that the calling thread executes; nullptr on all other threads.
void set_current_run(const void* run);

// Throws where a run forbids the calling thread to read, or else to write, a buffer that messages call `name`.
void expect_idle(const Buffer& buffer, const std::string& name, bool written);

}  // namespace morphmlp
