// Replaces the emulated device (device.cc) in tests of single kernels: plain memory, launches that run at once. Include
// it in one source of a program.
#pragma once
#include <cstdlib>
#include <functional>

#include "cuda/gemm/gemm.h"

namespace morphmlp::cuda {

void* allocate(size_t bytes) { return std::malloc(bytes); }
void release(void* data, size_t) { std::free(data); }
void upload(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }
void* native_stream() {
  static EmulatedStream stream{[](std::function<void()> run) { run(); }};
  return &stream;
}
GemmBackend gemm_backend() { return GemmBackend::mma; }
void count_wgmma_launch() {}
DeviceFacts device_facts() { return {}; }

}  // namespace morphmlp::cuda
