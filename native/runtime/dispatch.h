// Which kernels run: a device's table, and on the CPU the best instruction set this machine has (or MORPHMLP_ISA
// names).
#pragma once
#include <string>
#include <vector>

#include "ops/kernels.h"
#include "runtime/buffer.h"

namespace morphmlp {

const Kernels& kernels_for(Device device);  // throws when the device is not there

std::vector<std::string> available_isas();  // slowest first
std::string current_isa();
void set_isa(const std::string& name);  // throws on an instruction set this machine lacks
// Multiply-adds a second with nothing but registers, all threads at once, in GFLOP/s (2 a multiply-add): what
// benchmarks divide by.
double measure_fma_peak(double seconds);
std::string cuda_status();  // "available", or the reason why not

}  // namespace morphmlp
