// Checks a call of a plugin against what include/morphmlp_kernel.h says of its op: kernels take shapes on trust.
#pragma once
#include "morphmlp_kernel.h"

namespace morphmlp {
// Throws where a tensor or an attribute is missing, unknown, or of a size or type that contradicts the others.
// Attributes include the kernel's parameters.
void check_plugin_call(const morphmlp_call& call, const morphmlp_kernel& kernel, bool backward);
}  // namespace morphmlp
