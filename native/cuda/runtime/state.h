// What the files of the real device share: the one stream, the memory behind it, and how a fault of CUDA becomes an
// exception.
#pragma once
#include <cuda_runtime_api.h>

#include <mutex>
#include <string>
#include <vector>

#include "cuda/runtime/block_cache.h"
#include "runtime/cuda.h"

namespace morphmlp::cuda {

constexpr size_t kStaging = size_t{4} << 20;
constexpr int kSlots = 2;
constexpr size_t kNoted = 32;

void* device_allocate(size_t bytes);  // nullptr where the GPU has no memory left
void device_free(void* data);

// Pinned memory through which copies go in turns, so that they are asynchronous whatever memory the other side has.
struct Staging {
  void* data = nullptr;
  cudaEvent_t done = nullptr;
};

struct State {
  std::mutex mutex;
  BlockCache blocks{device_allocate, device_free};
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr;
  cudaEvent_t handed_over = nullptr;  // the end of what the stream before this one was given
  cudaEvent_t timer[2] = {nullptr, nullptr};
  void* flushed = nullptr;                  // the memory that flush_cache writes
  std::vector<void*>* recording = nullptr;  // pinned memory that the graph being recorded keeps
  Staging staging[kSlots];
  int next_slot = 0;
  bool synchronous = false;
  const char* op = "";             // what is launched now
  std::vector<const char*> since;  // ops since the GPU was last waited for
  std::string unusable;            // why there is no device; empty where there is one
};

// Made, and the driver looked for, at the first call.
State& state();

[[noreturn]] void raise(cudaError_t error, const std::string& what);

inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) raise(error, what);
}

void refuse_recording(const State& s, const char* what);  // throws while a graph is recorded
void wait(State& s);                                      // for the stream

}  // namespace morphmlp::cuda
