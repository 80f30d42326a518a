// The kernel table of this instruction set, generated from ops.def. A kernel without CPU code fails to link.
#include "cpu/isa.h"
#include "ops/kernels.h"

namespace morphmlp::MORPHMLP_ISA {

#define KERNEL(name, Args, ...) void name(const Args&);
#include "ops/ops.def"

extern const Kernels kernels;
const Kernels kernels = {
#define KERNEL(name, Args, ...) name,
#include "ops/ops.def"
};

}  // namespace morphmlp::MORPHMLP_ISA
