// The contract of a device: one function for every kernel of ops.def. A kernel takes its argument struct and nothing
// else, checks nothing (bindings did), and leaves its outputs complete when it returns (on a GPU: enqueued on the
// stream).
#pragma once
#include "ops/all.h"
#include "ops/bf16.h"

namespace morphmlp {

// The same for bf16 activations, where ops.def has a KB.
struct Bf16Kernels {
#define K(name, Args)
#define KB(name, Args) void (*name)(const Args##Of<Bf16>&);
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K
};

struct Kernels {
#define K(name, Args) void (*name)(const Args&);
#define OP(stem, ...) __VA_ARGS__
#include "ops/ops.def"
#undef OP
#undef K
  const Bf16Kernels* bf16 = nullptr;  // null on a device that has none
};

}  // namespace morphmlp
