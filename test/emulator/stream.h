// What a cudaStream_t points to in the emulation: launches go through it, also those of kernels out of other libraries.
#pragma once
#include <functional>

namespace morphmlp::cuda {

struct EmulatedStream {
  void (*submit)(std::function<void()> launch);  // runs it on open memory, or keeps it for the graph that is recorded
};

}  // namespace morphmlp::cuda
