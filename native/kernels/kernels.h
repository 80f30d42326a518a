// The contract of a device: one function for every kernel of ops.def. A kernel takes its argument struct and nothing
// else, checks nothing (bindings did), and leaves its outputs complete when it returns (on a GPU: enqueued on the
// stream).
#pragma once
#include "kernels/all.h"

namespace morphmlp {

struct Kernels {
#define K(name, Args) void (*name)(const Args&);
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K
};

}  // namespace morphmlp
