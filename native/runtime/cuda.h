// Device::cuda: memory, and the one stream on which everything runs in order. Functions are asynchronous unless they
// say otherwise. Implemented by native/cuda/runtime, by no_cuda.cc in builds without CUDA, and by test/emulator.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "morphmlp_kernel.h"
#include "ops/kernels.h"
#include "runtime/allocator.h"

namespace morphmlp {

const Kernels* cuda_kernels(std::string* reason);  // nullptr and a reason if no device is usable

namespace cuda {

// Caching allocator of device memory. A released block may be reused while kernels that use it are still queued, since
// all work runs in one stream.
void* allocate(size_t bytes);
void release(void* data, size_t bytes);  // `bytes` must equal that of allocate
void release_cache();
void poison_cache();
MemoryStats memory_stats();
void reset_peak();

void upload(void* to, const void* from, size_t bytes);    // `from` may be changed after the call
void download(void* to, const void* from, size_t bytes);  // synchronizes
void copy(void* to, const void* from, size_t bytes);      // within the device
// Uploads arguments of a kernel launch. In a recorded graph, each replay uploads the recorded bytes.
void upload_arguments(void* to, const void* from, size_t bytes);
void fill(void* data, int byte, size_t bytes);
void synchronize();

// Runs all later work in `stream` (a cudaStream_t; nullptr is CUDA's default stream), ordered after the work queued
// before.
void use_stream(void* stream);
bool is_device_memory(const void* data);  // whether `data` points to memory of the GPU

// Sets the name of the op for error messages of later launches, since faults are reported asynchronously.
void begin(const char* op);
void launched();        // after launches: throws errors that are known so far
void* native_stream();  // cudaStream_t, for plugins

// A point in the work of a stream.
class Event {
 public:
  virtual ~Event() = default;
  virtual bool passed() = 0;  // throws errors of the work before it
};
std::unique_ptr<Event> mark();  // after the work queued so far

// A second stream, for communication beside the kernels: its work runs after that of the events it was told to wait
// for. Its memory does not come from the cache, whose free blocks queued kernels may still use. One thread makes all
// calls.
namespace side {
void* stream();  // cudaStream_t
void after(const Event& event);
std::unique_ptr<Event> mark();
float* allocate(int64_t n);
void release(float* data);  // when the stream's work is done
void copy(float* to, const float* from, int64_t n);
void fill(float* to, float value, int64_t n);
void add(float* into, const float* from, int64_t n);  // into += from
}  // namespace side

// A CUDA graph: launches that were recorded once and are replayed together. It keeps the memory they use.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};

// Records the launches of `body` without running them. Copies to and from the host and synchronization throw. `shared`
// may be a graph that never runs concurrently with this one: both use one memory pool. nullptr makes a new pool.
std::unique_ptr<Graph> record(const std::function<void()>& body, const Graph* shared);

// For benchmarks. The timer uses CUDA events.
void start_timer();
double stop_timer();                      // GPU time since start_timer in ms; synchronizes
void flush_cache();                       // writes twice as much as the L2 cache holds
void delay();                             // occupies the GPU for about 0.1 ms while the host queues launches
double measure_fma_peak(double seconds);  // GFLOP/s of f32 FMA on registers alone
double measure_mma_peak(double seconds);  // GFLOP/s of bf16 mma.sync with f32 accumulators
double measure_copy_rate();               // GB/s (read plus written) of a copy within the device that exceeds L2

// Baseline kernels of an op, like naive_kernels.h and blas_kernels.h on the CPU: one element per thread, and cuBLASLt
// (blas_library returns its version, or why it is unavailable). nullptr if the op has no such kernel.
const morphmlp_kernel* naive_kernel(const std::string& op);
const morphmlp_kernel* blas_kernel(const std::string& op);
std::string blas_library();

// Instructions of bf16 products: "mma" (mma.sync, the default) or "wgmma" (TMA and wgmma, sm_90a). use_gemm_backend
// throws where the device or the build lacks them. wgmma_launches counts, so that tests know which instructions ran.
std::string gemm_backend_name();
void use_gemm_backend(const std::string& name);
double wgmma_launches();

// Device properties for tables and result files.
struct DeviceFacts {
  std::string name, architecture, driver, runtime;
  int multiprocessors = 0, memory_bus_bits = 0;
  double clock_mhz = 0, memory_clock_mhz = 0;  // maximum clock rates
  size_t memory_bytes = 0, l2_bytes = 0;
};
DeviceFacts device_facts();  // throws without a device

// Architectures of this build ("sm_80 sm_90a"; empty without CUDA), compiler flags, and a description of the device
// (name, compute capability, memory, driver). describe_device throws without a device.
std::string compiled_for();
std::string compiler_flags();
std::string describe_device();
double clock_ms();  // the GPU's clock after all queued work; synchronizes

}  // namespace cuda
}  // namespace morphmlp
