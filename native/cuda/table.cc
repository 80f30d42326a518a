// The kernel table of the GPU, made from ops.def: a kernel without CUDA code does not link.
#include "kernels/kernels.h"

namespace morphmlp::cuda {

#define K(name, Args) void name(const Args&);
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K

extern const Kernels kernels;
const Kernels kernels = {
#define K(name, Args) name,
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K
};

}  // namespace morphmlp::cuda
