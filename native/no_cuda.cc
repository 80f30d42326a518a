// Implements runtime/cuda.h in builds without CUDA: there is no device.
#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp {

namespace {
const char kReason[] = "this build has no CUDA backend (with nvcc there, MORPHMLP_CUDA=ON npm run build makes one)";
[[noreturn]] void no_device() { fail(std::string("no CUDA device: ") + kReason); }
}  // namespace

const Kernels* cuda_kernels(std::string* reason) {
  *reason = kReason;
  return nullptr;
}

namespace cuda {

void* allocate(size_t) { no_device(); }
void release(void*, size_t) {}
void release_cache() {}
void poison_cache() {}
MemoryStats memory_stats() { return {}; }
void reset_peak() {}
void upload(void*, const void*, size_t) { no_device(); }
void download(void*, const void*, size_t) { no_device(); }
void copy(void*, const void*, size_t) { no_device(); }
void upload_arguments(void*, const void*, size_t) { no_device(); }
void fill(void*, int, size_t) { no_device(); }
void synchronize() {}
void use_stream(void*) { no_device(); }
bool is_device_memory(const void*) { return false; }
void begin(const char*) {}
void launched() {}
void* native_stream() { no_device(); }
std::unique_ptr<Graph> record(const std::function<void()>&, const Graph*) { no_device(); }
void start_timer() { no_device(); }
double stop_timer() { no_device(); }
void flush_cache() { no_device(); }
void delay() { no_device(); }
double measure_fma_peak(double) { no_device(); }
double measure_mma_peak(double) { no_device(); }
double measure_copy_rate() { no_device(); }
const morphmlp_kernel* naive_kernel(const std::string&) { no_device(); }
const morphmlp_kernel* blas_kernel(const std::string&) { no_device(); }
std::string blas_library() { no_device(); }
std::string products_by() { no_device(); }
double wgmma_products() { no_device(); }
void use_products(const std::string&) { no_device(); }
void use_f32(const std::string&) { no_device(); }
DeviceFacts device_facts() { no_device(); }
std::string compiled_for() { return ""; }
std::string compiler_flags() { return ""; }
std::string describe_device() { no_device(); }
double clock_ms() { no_device(); }

}  // namespace cuda
}  // namespace morphmlp
