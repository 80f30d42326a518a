// State of the GPU backend: the stream, the memory behind it, and the conversion of CUDA errors to exceptions.
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

// Pinned memory for copies, used in turns: it makes copies asynchronous whatever memory the other side has.
struct Staging {
  void* data = nullptr;
  cudaEvent_t done = nullptr;
};

struct State {
  std::mutex mutex;
  BlockCache blocks{device_allocate, device_free};
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr;
  cudaEvent_t handed_over = nullptr;  // end of the work of the previous stream
  cudaEvent_t timer[2] = {nullptr, nullptr};
  void* flushed = nullptr;                  // the memory that flush_cache writes
  std::vector<void*>* recording = nullptr;  // pinned memory that the graph being recorded keeps
  Staging staging[kSlots];
  int next_slot = 0;
  bool synchronous = false;
  const char* op = "";             // op whose launches follow
  std::vector<const char*> since;  // ops since the last synchronization
  std::string unusable;            // why the device is unavailable, or ""
};

// Created at the first call, which looks for the driver.
State& state();

[[noreturn]] void raise(cudaError_t error, const std::string& what);

inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) raise(error, what);
}

void refuse_recording(const State& s, const char* what);  // throws while a graph is recorded
void wait(State& s);                                      // for the stream

}  // namespace morphmlp::cuda
