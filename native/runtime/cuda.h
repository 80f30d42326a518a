// The GPU behind Device::cuda: its memory, and the one stream on which everything runs in order. Nothing here waits for
// the GPU unless it says so. native/cuda/runtime implements it; no_cuda.cc stands in for it in a build without CUDA,
// and test/emulator emulates it.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "ops/kernels.h"
#include "morphmlp_kernel.h"
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
void copy(void* to, const void* from, size_t bytes);      // within the device
// As upload, of what a launch is told. Recorded, each replay copies the same bytes, of which the graph keeps a copy.
void upload_arguments(void* to, const void* from, size_t bytes);
void fill(void* data, int byte, size_t bytes);
void synchronize();

// Everything runs in `stream` (a cudaStream_t, nullptr: CUDA's default stream) from now on, after what was enqueued
// before. So a caller's own stream keeps the order of its work and ours, and blocks stay safe to hand out again.
void use_stream(void* stream);
bool is_device_memory(const void* data);  // whether the GPU may read it

// Names what is launched from now on, for the message of a fault: those come to light later than they happen.
void begin(const char* op);
void launched();        // after launches: throws what went wrong with them, as far as it is known
void* native_stream();  // cudaStream_t, for kernels of others

// Launches that were recorded once, to be replayed in one go: a CUDA graph. The memory that they use stays theirs.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};

// What `body` launches is recorded, and does not run. Copies to and from the host cannot be: they throw, as waiting
// does. `beside`, or nullptr: a graph that never runs at the same time, so both may use the memory that neither holds
// at the end of its recording.
std::unique_ptr<Graph> record(const std::function<void()>& body, const Graph* beside);

// For benchmarks. The timer is the GPU's own.
void start_timer();
double stop_timer();  // milliseconds on the device since start_timer, of all that was asked of it in between; waits
void flush_cache();   // writes twice as much as the L2 cache holds
void delay();         // keeps the GPU busy while the host asks for what comes next: some 0.1 ms
double measure_fma_peak(double seconds);  // GFLOP/s of multiply-adds of f32 with nothing but registers, as we do them
double measure_mma_peak(double seconds);  // the same on the tensor cores, bf16 into f32, by mma.sync
double measure_copy_rate();               // GB/s of a copy within the device, read and written; beyond the L2 cache

// Kernels for an op that stand beside ours, as naive_kernels.h and blas_kernels.h have them for the CPU: one number a
// thread, and by cuBLASLt where it is (blas_library says which, or why not). nullptr for an op that has none.
const morphmlp_kernel* naive_kernel(const std::string& op);
const morphmlp_kernel* blas_kernel(const std::string& op);
std::string blas_library();

// Instructions of bf16 products: "mma" (mma.sync, the default) or "wgmma" (TMA and wgmma, sm_90a). use_gemm_backend
// throws where the device or the build lacks them. wgmma_launches counts, so that tests know which instructions ran.
std::string gemm_backend_name();
void use_gemm_backend(const std::string& name);
double wgmma_launches();

// What a table or a file says about the device.
struct DeviceFacts {
  std::string name, architecture, driver, runtime;
  int multiprocessors = 0, memory_bus_bits = 0;
  double clock_mhz = 0, memory_clock_mhz = 0;  // the highest
  size_t memory_bytes = 0, l2_bytes = 0;
};
DeviceFacts device_facts();  // throws without a device

// What this build was compiled for ("sm_80 sm_90a", empty without CUDA) and with, and the device in words: name,
// compute capability, memory, driver. Throws without a device.
std::string compiled_for();
std::string compiler_flags();
std::string describe_device();
double clock_ms();  // the time on the GPU's own clock after all before it; waits

}  // namespace cuda
}  // namespace morphmlp
