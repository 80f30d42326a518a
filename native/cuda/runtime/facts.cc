// Describes the device and the build.
#include <sstream>

#include "cuda/runtime/state.h"
#include "runtime/error.h"

namespace morphmlp::cuda {

std::string compiled_for() { return MORPHMLP_CUDA_ARCHITECTURES; }

std::string compiler_flags() { return MORPHMLP_CUDA_FLAGS; }

namespace {

std::string cuda_version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "asking for the device");
  return value;
}

DeviceFacts ask_device() {
  if (!state().unusable.empty()) fail("no CUDA device: " + state().unusable);
  cudaDeviceProp p;
  int driver = 0, runtime = 0;
  check(cudaGetDeviceProperties(&p, 0), "asking for the device");
  check(cudaDriverGetVersion(&driver), "asking for the driver");
  check(cudaRuntimeGetVersion(&runtime), "asking for the runtime");
  DeviceFacts facts;
  facts.name = p.name;
  facts.architecture = "sm_" + std::to_string(p.major) + std::to_string(p.minor);
  facts.driver = cuda_version(driver);
  facts.runtime = cuda_version(runtime);
  facts.multiprocessors = p.multiProcessorCount;
  facts.clock_mhz = attribute(cudaDevAttrClockRate) / 1e3;
  facts.memory_clock_mhz = attribute(cudaDevAttrMemoryClockRate) / 1e3;
  facts.memory_bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth);
  facts.memory_bytes = p.totalGlobalMem;
  facts.l2_bytes = static_cast<size_t>(attribute(cudaDevAttrL2CacheSize));
  return facts;
}

}  // namespace

DeviceFacts device_facts() {
  static const DeviceFacts facts = ask_device();
  return facts;
}

std::string describe_device() {
  const DeviceFacts facts = device_facts();
  std::ostringstream text;
  text << facts.name << ", " << facts.architecture << ", " << facts.multiprocessors << " multiprocessors, "
       << (facts.memory_bytes >> 20) << " MiB, driver for CUDA " << facts.driver << ", built with CUDA "
       << facts.runtime;
  return text.str();
}

}  // namespace morphmlp::cuda
