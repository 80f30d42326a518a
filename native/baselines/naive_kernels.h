// Baseline: the naive kernels of native/baselines/naive as built-in plugins. `morphmlp kernel new` copies their
// sources.
#pragma once
#include <string>

#include "morphmlp_kernel.h"

namespace morphmlp {

const morphmlp_kernel* naive_kernel(const std::string& op);  // nullptr if the op has none

}  // namespace morphmlp
