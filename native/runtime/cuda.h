// The GPU behind Device::cuda: its memory, and the one stream on which everything runs in order. Nothing here waits for
// the GPU unless it says so. native/cuda/runtime implements it; no_cuda.cc stands in for it in a build without CUDA,
// and native/test/cuda_shim emulates it.
#pragma once
#include <cstddef>
#include <string>

#include "kernels/kernels.h"
#include "runtime/allocator.h"

namespace morphmlp {

const Kernels* cuda_kernels(std::string* reason);  // nullptr without a usable device

namespace cuda {

// Device memory out of a cache. As all work runs in one stream, a released block may be handed out again while kernels
// that use it are still to run.
void* allocate(size_t bytes);
void release(void* data, size_t bytes);  // `bytes` as given to allocate
void release_cache();
void poison_cache();
MemoryStats memory_stats();
void reset_peak();

void upload(void* to, const void* from, size_t bytes);    // `from` may be changed when it returns
void download(void* to, const void* from, size_t bytes);  // waits for everything before it
void synchronize();

// Everything runs in `stream` (a cudaStream_t, nullptr: CUDA's default stream) from now on, after what was enqueued
// before. So a caller's own stream keeps the order of its work and ours, and blocks stay safe to hand out again.
void use_stream(void* stream);
bool is_device_memory(const void* data);  // whether the GPU may read it

// Names what is launched from now on, for the message of a fault: those come to light later than they happen.
void begin(const char* op);

// What this build was compiled for ("sm_80 sm_90a", empty without CUDA), and the device in words: name, compute
// capability, memory, driver. Throws without a device.
std::string compiled_for();
std::string describe_device();
double clock_ms();  // the time on the GPU's own clock after all before it; waits

}  // namespace cuda
}  // namespace morphmlp
