// The contract of a device: one function for every kernel of ops.def. A kernel takes its argument struct and nothing
// else, checks nothing (bindings did), and leaves its outputs complete when it returns (on a GPU: enqueued on the
// stream).
#pragma once
#include "ops/all.h"
#include "ops/bf16.h"

namespace morphmlp {

// The same for bf16 activations, for each KERNEL_BF16.
struct Bf16Kernels {
#define KERNEL(name, Args, ...)
#define KERNEL_BF16(name, Args, ...) void (*name)(const Args##Of<Bf16>&);
#include "ops/ops.def"
};

struct Kernels {
#define KERNEL(name, Args, ...) void (*name)(const Args&);
#include "ops/ops.def"
  const Bf16Kernels* bf16;
};

}  // namespace morphmlp
