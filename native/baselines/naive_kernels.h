// The naive kernels of native/baselines/naive as plugins that are always there: what others are ranked beside, and the
// templates that `morphmlp kernel new` copies.
#pragma once
#include <string>

#include "morphmlp_kernel.h"

namespace morphmlp {

const morphmlp_kernel* naive_kernel(const std::string& op);  // nullptr for an op that has none

}  // namespace morphmlp
