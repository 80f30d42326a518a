// The kernel table of this instruction set, made from ops.def: a kernel without CPU code does not link.
#include "cpu/isa.h"
#include "ops/kernels.h"

namespace morphmlp::MORPHMLP_ISA {

#define K(name, Args) void name(const Args&);
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K

extern const Kernels kernels;
const Kernels kernels = {
#define K(name, Args) name,
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K
};

}  // namespace morphmlp::MORPHMLP_ISA
