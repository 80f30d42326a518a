#include "runtime/buffer.h"

#include <cstring>

#include "runtime/allocator.h"
#include "runtime/cuda.h"
#include "runtime/derived_mutex.h"
#include "runtime/error.h"
#include "runtime/guard_pages.h"
#include "runtime/guard_zones.h"

namespace morphmlp {

size_t dtype_bytes(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

const char* dtype_name(DType dtype) {
  static const char* const names[] = {"f32", "bf16", "i32", "u8"};
  return names[static_cast<int>(dtype)];
}

DType dtype_from(const std::string& name) {
  for (DType d : {DType::f32, DType::bf16, DType::i32, DType::u8})
    if (name == dtype_name(d)) return d;
  fail("dtype '" + name + "' is not one of f32, bf16, i32, u8");
}

const char* device_name(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

Device device_from(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name == "cuda") return Device::cuda;
  fail("device '" + name + "' is not one of cpu, cuda");
}

namespace {

void* device_allocate(size_t bytes) { return guards_enabled() ? zoned_allocate(bytes) : cuda::allocate(bytes); }

void device_release(void* data, size_t bytes) {
  if (!zoned_release(data)) cuda::release(data, bytes);
}

}  // namespace

Buffer::Buffer(DType dtype, Device device, int64_t length)
    : dtype(dtype),
      device(device),
      length(length),
      data(device == Device::cpu ? allocate(bytes()) : device_allocate(bytes())) {}

Buffer::Buffer(DType dtype, Device device, int64_t length, void* borrowed)
    : dtype(dtype), device(device), length(length), data(borrowed), owned(false) {}

Buffer::~Buffer() {
  if (owned) device == Device::cpu ? release(data, bytes()) : device_release(data, bytes());
}

std::mutex& derived_mutex() {
  static auto* mutex = new std::mutex;  // never destroyed: threads may outlive the program's objects
  return *mutex;
}

namespace {

thread_local const void* current_run = nullptr;

}  // namespace

void set_current_run(const void* run) { current_run = run; }

void expect_idle(const Buffer& buffer, const std::string& name, bool written) {
  const void* owner = buffer.made_by;
  if (owner && owner != current_run) fail(name + " is being computed by forwardAsync: await it first");
  if (written && buffer.read_by > 0)
    fail(name + " would be written, but is in use by forwardAsync: await it first, and run modules in evaluation mode");
}

void Buffer::write(const void* from, size_t offset, size_t count) {
  char* to = static_cast<char*>(data) + offset;
  if (count != 0) device == Device::cpu ? void(std::memcpy(to, from, count)) : cuda::upload(to, from, count);
  ++version;
  for (auto& stale : derived) stale.reset();
}

void Buffer::read(void* into) const {
  if (bytes() != 0)
    device == Device::cpu ? void(std::memcpy(into, data, bytes())) : cuda::download(into, data, bytes());
}

}  // namespace morphmlp
