// y[clip, token, c] = sum over i of branch_i[clip, token, c] * weights[clip, c, i]: the weighted sum of two or three
// branches (paper section 3.2; the softmax over i has been taken).
#pragma once
#include <cstdint>

namespace morphmlp {

constexpr int kMaxBranches = 3;

template <class T>
struct ReweightForwardOf {
  int64_t clips, tokens, channels, branches;
  const T* branch[kMaxBranches];
  const float* weights;
  T* y;
};
using ReweightForward = ReweightForwardOf<float>;

template <class T>
struct ReweightBackwardOf {
  int64_t clips, tokens, channels, branches;
  const T* branch[kMaxBranches];
  const T* dy;
  const float* weights;
  T* dbranch[kMaxBranches];  // or null
  float* dweights;
};
using ReweightBackward = ReweightBackwardOf<float>;

}  // namespace morphmlp
