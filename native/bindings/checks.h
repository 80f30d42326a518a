// Checks that .def files name and that plain comparisons of sizes cannot express.
#pragma once
#include "bindings/args.h"
#include "ops/arithmetic.h"
#include "ops/conv3d.h"
#include "ops/temporal_fc.h"

namespace morphmlp {

template <size_t N>
int64_t product(const int64_t (&sizes)[N]) {
  return count(sizes, N);
}

// The elements that a walk over dims with these strides can touch, where each step touches `start`: one past the
// largest offset.
inline int64_t reach(const int64_t (&dims)[kMaxDims], const int64_t (&strides)[kMaxDims], int64_t start = 1) {
  if (start == 0) return 0;
  double last = static_cast<double>(start);
  for (int i = 0; i < kMaxDims; ++i) {
    if (dims[i] == 0) return 0;
    last += static_cast<double>(dims[i] - 1) * static_cast<double>(strides[i]);
  }
  return last > 9007199254740992.0 ? INT64_MAX : static_cast<int64_t>(last);
}

// The kernel takes the last dimension as whole vectors, or as one number for all.
inline bool is_vector(const int64_t (&dims)[kMaxDims], const int64_t (&strides)[kMaxDims]) {
  return dims[kMaxDims - 1] <= 1 || strides[kMaxDims - 1] <= 1;
}

// Checks that the kernel fits, and works out the size of the output.
inline void complete_conv3d(const Args& args, Conv3dShape& at) {
  for (int i = 0; i < 3; ++i) {
    const int64_t room = at.in[i] + at.padding[i] + at.padding_behind[i] - at.kernel[i];
    if (at.kernel[i] < 1 || at.stride[i] < 1 || room < 0) args.reject("the kernel does not fit the padded input");
    at.out[i] = room / at.stride[i] + 1;
  }
}

// x goes into dweight alone: without it, dx may lie over x.
template <class P>
void x_is_for_dweight(Args& args, P& p) {
  if (!p.dweight) args.unread("x");
}

// Evaluation reads the running statistics.
template <class P>
void keeps_statistics(Args& args, const P& p) {
  if (p.training) return;
  args.keeps("running_mean");
  args.keeps("running_var");
}

// Clips without steps have no elements, so no units.
inline void drop_clips_without_steps(const Args&, TemporalFcShape& at) {
  if (at.steps == 0) at.clips = 0;
}

}  // namespace morphmlp
