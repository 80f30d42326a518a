// Kernels and their launch. A kernel is a struct: its members are the arguments, kThreads the size of a block, Shared
// the shared memory of a block, and operator() the code of one thread:
//
//   struct Twice : Unshared {
//     const float* x; float* y;
//     __device__ void operator()(None&) const { y[blockIdx.x * kThreads + threadIdx.x] = ...; }
//   };
//   launch({blocks}, Twice{{}, x, y});
//
// kBlocks, optional, is the number of blocks that must fit on an SM: it limits the registers. kDynamic, optional,
// states that Shared exceeds the 48 KB of static shared memory.
//
// The same source runs on a GPU and, compiled with MORPHMLP_CUDA_EMULATED by a C++ compiler, on the CPU
// (test/emulator), where tests check its logic.
#pragma once
#include <cstdint>
#include <type_traits>

#include "runtime/cuda.h"
#include "runtime/error.h"

#ifdef MORPHMLP_CUDA_EMULATED
#include "test/emulator/cuda_shim.h"
#include "test/emulator/stream.h"
#else
#include <cuda_runtime.h>
#endif

namespace morphmlp::cuda {

struct None {};

// Base of kernels without shared memory.
struct Unshared {
  using Shared = None;
  static constexpr int kThreads = 256;
};

struct Grid {
  int64_t x, y = 1, z = 1;
};

// Blocks of `size` that cover n.
constexpr int64_t blocks_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

// Throws where a grid exceeds the limits of CUDA.
inline void check_grid(const Grid& grid) {
  if (grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535) fail("the tensors are too large for one launch");
}

#ifdef MORPHMLP_CUDA_EMULATED

template <class Kernel>
void launch_on(void* stream, const Grid& grid, const Kernel& kernel) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  check_grid(grid);
  const auto body = [](const void* k, void* shared) {
    (*static_cast<const Kernel*>(k))(*static_cast<typename Kernel::Shared*>(shared));
  };
  static_cast<EmulatedStream*>(stream)->submit([=] {
    shim::run_grid(grid.x, grid.y, grid.z, Kernel::kThreads, sizeof(typename Kernel::Shared), body, &kernel);
  });
}

#else

template <class Kernel, class = void>
constexpr int kBlocksOf = 1;
template <class Kernel>
constexpr int kBlocksOf<Kernel, std::void_t<decltype(Kernel::kBlocks)> > = Kernel::kBlocks;

template <class Kernel, class = void>
constexpr bool kDynamicOf = false;
template <class Kernel>
constexpr bool kDynamicOf<Kernel, std::void_t<decltype(Kernel::kDynamic)> > = Kernel::kDynamic;

// Dynamic shared memory is only aligned to 16 bytes.
template <class Kernel>
constexpr size_t kDynamicBytes = sizeof(typename Kernel::Shared) + alignof(typename Kernel::Shared);

// Allows the kernel so much dynamic shared memory.
void allow_shared(const void* kernel, size_t bytes);

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, kBlocksOf<Kernel>) entry(const __grid_constant__ Kernel kernel) {
  using Shared = typename Kernel::Shared;
  if constexpr (kDynamicOf<Kernel>) {
    extern __shared__ unsigned char dynamic_shared[];
    const auto beyond = static_cast<uint32_t>(__cvta_generic_to_shared(dynamic_shared)) % alignof(Shared);
    kernel(*reinterpret_cast<Shared*>(dynamic_shared + (beyond ? alignof(Shared) - beyond : 0)));
  } else {
    __shared__ Shared shared;
    kernel(shared);
  }
}

// Bytes of dynamic shared memory of a launch.
template <class Kernel>
size_t dynamic_bytes() {
  if constexpr (!kDynamicOf<Kernel>) return 0;
  static const bool allowed = (allow_shared(reinterpret_cast<const void*>(entry<Kernel>), kDynamicBytes<Kernel>), true);
  return allowed ? kDynamicBytes<Kernel> : 0;
}

template <class Kernel>
void launch_on(void* stream, const Grid& grid, const Kernel& kernel) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  check_grid(grid);
  const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z));
  // clang-format off
  entry<<<blocks, Kernel::kThreads, dynamic_bytes<Kernel>(), static_cast<cudaStream_t>(stream)>>>(kernel);
  // clang-format on
  launched();
}

#endif

template <class Kernel>
void launch(const Grid& grid, const Kernel& kernel) {
  launch_on(native_stream(), grid, kernel);
}

// Body(i) for i = 0 .. n - 1.
template <class Body>
struct Each : Unshared {
  int64_t n;
  Body body;

  __device__ void operator()(None&) const {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i < n) body(i);
  }
};

template <class Body>
void launch_each_on(void* stream, int64_t n, const Body& body) {
  launch_on(stream, {blocks_of(n, Unshared::kThreads)}, Each<Body>{{}, n, body});
}

template <class Body>
void launch_each(int64_t n, const Body& body) {
  launch({blocks_of(n, Unshared::kThreads)}, Each<Body>{{}, n, body});
}

}  // namespace morphmlp::cuda
