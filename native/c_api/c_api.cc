// Implements include/morphmlp.h. Exceptions become status codes.
#include <cstring>
#include <mutex>

#include "bindings/table.h"
#include "c_api/c_arguments.h"
#include "morphmlp.h"
#include "runtime/allocator.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"
#include "runtime/threads.h"

namespace morphmlp {
namespace {

// Last error of the calling thread.
std::string& last_error() {
  static thread_local std::string text;
  return text;
}

// Runs the body; returns false and sets the last error if it throws.
template <class Body>
bool succeeds(Body&& body) noexcept {
  try {
    body();
    return true;
  } catch (const std::exception& error) {
    last_error() = error.what();
  } catch (...) {
    last_error() = "it threw something that is not a std::exception";
  }
  return false;
}

template <class Body>
int32_t status_of(Body&& body) noexcept {
  return succeeds(body) ? MORPHMLP_OK : MORPHMLP_FAILED;
}

const Callable& find(const char* name) {
  if (!name) fail("expected the name of a kernel, got a null pointer");
  for (const Callable& kernel : callables())
    if (std::strcmp(kernel.name, name) == 0) return kernel;
  fail(std::string("there is no kernel named ") + name);
}

// Serializes CUDA calls, since the stream is a setting of the process.
std::mutex& cuda_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

void run(const Callable& kernel, const CArguments& arguments, void* stream) {
  if (!arguments.on_cuda()) return kernel.run(arguments);
  kernels_for(Device::cuda);
  const std::lock_guard<std::mutex> turn(cuda_mutex());
  cuda::use_stream(stream);
  kernel.run(arguments);
}

std::string describe(Device device) {
  kernels_for(device);
  if (device == Device::cuda) return cuda::describe_device();
  return "CPU, " + current_isa() + ", " + std::to_string(thread_count()) + " threads";
}

// Checks the arguments of a copy and returns its device.
Device copy_device(int32_t device, const void* a, const void* b, size_t bytes) {
  const Device found = device_from(device);
  kernels_for(found);
  if (bytes > 0 && (!a || !b)) fail("expected two pointers, got a null pointer");
  return found;
}

}  // namespace
}  // namespace morphmlp

using namespace morphmlp;

int32_t morphmlp_api_version(void) { return MORPHMLP_API_VERSION; }

const char* morphmlp_kernel_name(int32_t index) {
  const auto& all = callables();
  return index >= 0 && static_cast<size_t>(index) < all.size() ? all[static_cast<size_t>(index)].name : nullptr;
}

const char* morphmlp_last_error(void) { return last_error().c_str(); }

int32_t morphmlp_run(const char* kernel, const morphmlp_argument* arguments, int32_t count, void* stream) {
  return status_of([&] { run(find(kernel), CArguments(arguments, count), stream); });
}

const char* morphmlp_device(int32_t device) {
  static thread_local std::string text;
  return succeeds([&] { text = describe(device_from(device)); }) ? text.c_str() : nullptr;
}

int32_t morphmlp_set_threads(int32_t threads) {
  return status_of([&] { set_thread_count(threads); });
}

void* morphmlp_allocate(int32_t device, size_t bytes) {
  void* data = nullptr;
  succeeds([&] {
    const Device on = device_from(device);
    kernels_for(on);
    data = on == Device::cpu ? allocate(bytes) : cuda::allocate(bytes);
  });
  return data;
}

int32_t morphmlp_release(int32_t device, void* data, size_t bytes) {
  return status_of([&] {
    if (!data) return;
    device_from(device) == Device::cpu ? release(data, bytes) : cuda::release(data, bytes);
  });
}

int32_t morphmlp_write(int32_t device, void* to, const void* from_host, size_t bytes) {
  return status_of([&] {
    const Device on = copy_device(device, to, from_host, bytes);
    if (bytes > 0) on == Device::cpu ? void(std::memcpy(to, from_host, bytes)) : cuda::upload(to, from_host, bytes);
  });
}

int32_t morphmlp_read(int32_t device, void* to_host, const void* from, size_t bytes) {
  return status_of([&] {
    const Device on = copy_device(device, to_host, from, bytes);
    if (bytes > 0) on == Device::cpu ? void(std::memcpy(to_host, from, bytes)) : cuda::download(to_host, from, bytes);
  });
}

int32_t morphmlp_synchronize(int32_t device) {
  return status_of([&] {
    if (device_from(device) != Device::cuda) return;
    kernels_for(Device::cuda);
    cuda::synchronize();
  });
}
