// What a test of kernels without the shim's device has in its place: plain memory, launches that run at once, no
// library for products. For the one source of a program.
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
Products products() { return Products::own; }
void count_wgmma_product() {}
F32By f32_kind = F32By::ffma;  // for a test to change
F32By f32_by() { return f32_kind; }
DeviceFacts device_facts() { return {}; }
void cublas_lt_product(const LtProduct&) { std::abort(); }

}  // namespace morphmlp::cuda
