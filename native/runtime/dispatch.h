// Selects the kernel table of a device; on the CPU that of the best supported instruction set, or of MORPHMLP_ISA.
#pragma once
#include <string>
#include <vector>

#include "ops/kernels.h"
#include "runtime/buffer.h"

namespace morphmlp {

const Kernels& kernels_for(Device device);  // throws if the device is unavailable

std::vector<std::string> available_isas();  // slowest first
std::string current_isa();
void set_isa(const std::string& name);  // throws if this machine does not support it
// FMA throughput of all threads on registers alone, in GFLOP/s (a multiply-add counts 2), of floats or of operands in
// bf16: the roofline of benchmarks.
double measure_fma_peak(double seconds, bool bf16);
std::string cuda_status();  // "available", or the reason why CUDA is unavailable

}  // namespace morphmlp
