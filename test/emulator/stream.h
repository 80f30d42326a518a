// The object behind a cudaStream_t in the emulation: all launches go through it, also those of plugins.
#pragma once
#include <functional>

namespace morphmlp::cuda {

struct EmulatedStream {
  void (*submit)(std::function<void()> launch);  // runs it on open memory, or keeps it for the graph that is recorded
};

}  // namespace morphmlp::cuda
