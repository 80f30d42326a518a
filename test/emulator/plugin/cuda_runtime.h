// Stands in for CUDA's header when nvcc.cjs compiles a kernel of one's own for the emulation: a launch goes through the
// stream that the call brings, so it runs on open memory or is kept for the graph that is recorded.
#pragma once
#include <stdexcept>

#include "test/emulator/cuda_shim.h"
#include "test/emulator/stream.h"

#define __global__
#define __launch_bounds__(...)
#define __shared__ static

using cudaStream_t = morphmlp::cuda::EmulatedStream*;
using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "no error"; }

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}  // NOLINT: implicit, as CUDA's
};

inline dim3 block_dim;
#define blockDim block_dim

// kernel<<<grid, block, shared, stream>>>(...), as nvcc.cjs writes it. Memory that is asked for here is not there.
template <class Body>
void emulated_launch(dim3 grid, dim3 block, size_t, cudaStream_t stream, const Body& body) {
  if (!stream) throw std::runtime_error("it launches into the default stream, not into that of the call");
  stream->submit([=] {
    block_dim = block;
    const auto run = [](const void* kernel, void*) { (*static_cast<const Body*>(kernel))(); };
    shim::run_grid(grid.x, grid.y, grid.z, static_cast<int>(block.x), 1, run, &body);
  });
}

template <class Body>
void emulated_launch(dim3 grid, dim3 block, const Body& body) {
  emulated_launch(grid, block, 0, nullptr, body);
}
