// Kernel table of the GPU, generated from ops.def: a kernel without CUDA code does not link.
#include "ops/kernels.h"

namespace morphmlp::cuda {

#define K(name, Args) void name(const Args&);
#define KB(name, Args) \
  template <class T>   \
  void name(const Args##Of<T>&);
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K

namespace {

const Bf16Kernels bf16_kernels = {
#define K(name, Args)
#define KB(name, Args) name<Bf16>,
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K
};

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {
#define K(name, Args) name,
#define KB(name, Args) name<float>,
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K
    &bf16_kernels,
};

}  // namespace morphmlp::cuda
