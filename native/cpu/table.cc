// The kernel table of this instruction set, generated from ops.def. A kernel without CPU code fails to link.
#include "cpu/isa.h"
#include "ops/kernels.h"

namespace morphmlp::MORPHMLP_ISA {

#define KERNEL(name, Args, ...) void name(const Args&);
#define KERNEL_BF16(name, Args, ...) \
  template <class T>                 \
  void name(const Args##Of<T>&);
#include "ops/ops.def"

namespace {

const Bf16Kernels bf16_kernels = {
#define KERNEL(name, Args, ...)
#define KERNEL_BF16(name, Args, ...) name<Bf16>,
#include "ops/ops.def"
};

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {
#define KERNEL(name, Args, ...) name,
#define KERNEL_BF16(name, Args, ...) name<float>,
#include "ops/ops.def"
    &bf16_kernels,
};

}  // namespace morphmlp::MORPHMLP_ISA
