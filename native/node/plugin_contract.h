// Checks a call of a plugin against what include/morphmlp_kernel.h says of its op: kernels take shapes on trust.
#pragma once
#include "morphmlp_kernel.h"

namespace morphmlp {
// Throws where a tensor or an attribute is missing, unknown, or of a size that contradicts the others.
void check_plugin_call(const morphmlp_call& call, bool backward);
}  // namespace morphmlp
