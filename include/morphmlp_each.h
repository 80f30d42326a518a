// Elementwise loops for naive kernels: compiled by a C++ compiler, the body runs on the program's threads; compiled by
// nvcc, as a CUDA kernel with one thread per element.
//
//   struct Twice { const float* x; float* y; MORPHMLP_DEVICE void operator()(int64_t i) const { y[i] = 2 * x[i]; } };
//   return morphmlp_each(call, n, Twice{x, y});
#pragma once
#include <initializer_list>

#include "morphmlp_kernel.h"

#if defined(MORPHMLP_EACH_IS_DEFINED)
// by the program, for its built-in kernels
#elif defined(__CUDACC__)
#include <cuda_runtime.h>

#define MORPHMLP_DEVICE __host__ __device__
#define MORPHMLP_HERE MORPHMLP_CUDA

template <class Body>
__global__ void morphmlp_each_kernel(int64_t n, Body body) {
  const int64_t i = blockIdx.x * int64_t{256} + threadIdx.x;
  if (i < n) body(i);
}

template <class Body>
int32_t morphmlp_each(const morphmlp_call* call, int64_t n, Body body) {
  if (n == 0) return MORPHMLP_OK;
  const auto blocks = static_cast<unsigned>((n + 255) / 256);
  // clang-format off
  morphmlp_each_kernel<<<blocks, 256, 0, static_cast<cudaStream_t>(call->stream)>>>(n, body);
  // clang-format on
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? MORPHMLP_OK : morphmlp_say(call, MORPHMLP_FAILED, cudaGetErrorString(error));
}

#else

#define MORPHMLP_DEVICE
#define MORPHMLP_HERE MORPHMLP_CPU

template <int64_t kBlock, class Body>  // bodies per task
int32_t morphmlp_each_in_tasks(const morphmlp_call* call, int64_t n, Body body) {
  struct Work {
    int64_t n;
    Body body;
  } work{n, body};
  const auto task = [](void* context, int64_t block) {
    const Work& w = *static_cast<const Work*>(context);
    const int64_t end = (block + 1) * kBlock < w.n ? (block + 1) * kBlock : w.n;
    for (int64_t i = block * kBlock; i < end; ++i) w.body(i);
  };
  call->parallel((n + kBlock - 1) / kBlock, task, &work);
  return MORPHMLP_OK;
}

template <class Body>
int32_t morphmlp_each(const morphmlp_call* call, int64_t n, Body body) {
  return morphmlp_each_in_tasks<1024>(call, n, body);
}

#endif

// As morphmlp_each, for bodies that do much: few of them are one task on the CPU.
template <class Body>
int32_t morphmlp_rows(const morphmlp_call* call, int64_t n, Body body) {
#if defined(MORPHMLP_EACH_IS_DEFINED) || defined(__CUDACC__)
  return morphmlp_each(call, n, body);
#else
  return morphmlp_each_in_tasks<8>(call, n, body);
#endif
}

// Runs body(i) for i = 0 .. n - 1, unless `wanted` is NULL (a gradient that is not needed).
template <class Body>
int32_t morphmlp_each_if(const void* wanted, const morphmlp_call* call, int64_t n, Body body) {
  return wanted ? morphmlp_each(call, n, body) : MORPHMLP_OK;
}

// Returns the first status that is not MORPHMLP_OK. The calls in the braces run in order, and all of them run.
inline int32_t morphmlp_first(std::initializer_list<int32_t> statuses) {
  for (int32_t status : statuses)
    if (status != MORPHMLP_OK) return status;
  return MORPHMLP_OK;
}

// Defines the entry of the library: MORPHMLP_KERNEL("op", "name", workspace or nullptr, forward, backward or nullptr).
#ifndef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY morphmlp_kernel_entry
#endif
#define MORPHMLP_KERNEL(op, name, workspace, forward, backward)                                                  \
  extern "C" MORPHMLP_EXPORT const morphmlp_kernel* MORPHMLP_KERNEL_ENTRY() {                                    \
    static const morphmlp_kernel kernel = {                                                                      \
        MORPHMLP_KERNEL_ABI, MORPHMLP_HERE, op, name, MORPHMLP_FLAGS, workspace, forward, backward, 0, NULL, 0}; \
    return &kernel;                                                                                              \
  }

// As MORPHMLP_KERNEL, for a kernel that takes activations in f32 and in bf16.
#define MORPHMLP_BF16_KERNEL(op, name, workspace, forward, backward)                 \
  extern "C" MORPHMLP_EXPORT const morphmlp_kernel* MORPHMLP_KERNEL_ENTRY() {        \
    static const morphmlp_kernel kernel = {MORPHMLP_KERNEL_ABI,                      \
                                           MORPHMLP_HERE,                            \
                                           op,                                       \
                                           name,                                     \
                                           MORPHMLP_FLAGS,                           \
                                           workspace,                                \
                                           forward,                                  \
                                           backward,                                 \
                                           MORPHMLP_TAKES_F32 | MORPHMLP_TAKES_BF16, \
                                           NULL,                                     \
                                           0};                                       \
    return &kernel;                                                                  \
  }

// As MORPHMLP_KERNEL, for a kernel that takes activations in f32 and in bf16, with the block sizes of morphmlp_gemm.h
// as tuning parameters.
#define MORPHMLP_TUNED_KERNEL(op, name, workspace, forward, backward)                                                  \
  extern "C" MORPHMLP_EXPORT const morphmlp_kernel* MORPHMLP_KERNEL_ENTRY() {                                          \
    static const double rows[] = {0, 24, 48, 96, 192}, columns[] = {1024, 256, 64}, steps[] = {256, 128, 384, 512};    \
    static const morphmlp_parameter blocks[] = {{"block_m", rows, 5}, {"block_n", columns, 3}, {"block_k", steps, 4}}; \
    static const morphmlp_kernel kernel = {MORPHMLP_KERNEL_ABI,                                                        \
                                           MORPHMLP_HERE,                                                              \
                                           op,                                                                         \
                                           name,                                                                       \
                                           MORPHMLP_FLAGS,                                                             \
                                           workspace,                                                                  \
                                           forward,                                                                    \
                                           backward,                                                                   \
                                           MORPHMLP_TAKES_F32 | MORPHMLP_TAKES_BF16,                                   \
                                           blocks,                                                                     \
                                           3};                                                                         \
    return &kernel;                                                                                                    \
  }
