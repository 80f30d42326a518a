// Implements runtime/cuda.h in builds without CUDA: there is no device.
#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp {

namespace {
const char kReason[] = "this build has no CUDA backend (with nvcc there, MORPHMLP_CUDA=ON npm run build makes one)";
[[noreturn]] void none() { fail(std::string("no CUDA device: ") + kReason); }
}  // namespace

const Kernels* cuda_kernels(std::string* reason) {
  *reason = kReason;
  return nullptr;
}

namespace cuda {

void* allocate(size_t) { none(); }
void release(void*, size_t) {}
void release_cache() {}
void poison_cache() {}
MemoryStats memory_stats() { return {}; }
void reset_peak() {}
void upload(void*, const void*, size_t) { none(); }
void download(void*, const void*, size_t) { none(); }
void copy(void*, const void*, size_t) { none(); }
void upload_arguments(void*, const void*, size_t) { none(); }
void fill(void*, int, size_t) { none(); }
void synchronize() {}
void use_stream(void*) { none(); }
bool is_device_memory(const void*) { return false; }
void begin(const char*) {}
void launched() {}
void* native_stream() { none(); }
std::unique_ptr<Event> mark() { none(); }
namespace side {
void* stream() { none(); }
void after(const Event&) { none(); }
std::unique_ptr<Event> mark() { none(); }
float* allocate(int64_t) { none(); }
void release(float*) {}
void copy(float*, const float*, int64_t) { none(); }
void fill(float*, float, int64_t) { none(); }
void add(float*, const float*, int64_t) { none(); }
}  // namespace side
std::unique_ptr<Graph> record(const std::function<void()>&, const Graph*) { none(); }
void start_timer() { none(); }
double stop_timer() { none(); }
void flush_cache() { none(); }
void delay() { none(); }
double measure_fma_peak(double) { none(); }
double measure_mma_peak(double) { none(); }
double measure_copy_rate() { none(); }
const morphmlp_kernel* naive_kernel(const std::string&) { none(); }
const morphmlp_kernel* blas_kernel(const std::string&) { none(); }
std::string blas_library() { none(); }
std::string gemm_backend_name() { none(); }
void use_gemm_backend(const std::string&) { none(); }
double wgmma_launches() { none(); }
DeviceFacts device_facts() { none(); }
std::string compiled_for() { return ""; }
std::string compiler_flags() { return ""; }
std::string describe_device() { none(); }
double clock_ms() { none(); }

}  // namespace cuda
}  // namespace morphmlp
