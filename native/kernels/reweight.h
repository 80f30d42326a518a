// y[clip, token, c] = sum over i of branch_i[clip, token, c] * weights[clip, c, i]: the weighted sum of two or three
// branches (paper section 3.2; the softmax over i has been taken).
#pragma once
#include <cstdint>

namespace morphmlp {

constexpr int kMaxBranches = 3;

struct ReweightForward {
  int64_t clips, tokens, channels, branches;
  const float* branch[kMaxBranches];
  const float* weights;
  float* y;
};

struct ReweightBackward {
  int64_t clips, tokens, channels, branches;
  const float* branch[kMaxBranches];
  const float *weights, *dy;
  float* dbranch[kMaxBranches];  // or null
  float* dweights;
};

}  // namespace morphmlp
