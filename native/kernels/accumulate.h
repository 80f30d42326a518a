// into += from, and into = from: how autograd joins the gradients of a tensor that was used more than once.
#pragma once
#include <cstdint>

namespace morphmlp {

struct AccumulateForward {
  int64_t n;
  const float* from;
  float* into;
};

struct AccumulateCopy {
  int64_t n;
  const float* from;
  float* into;
};

}  // namespace morphmlp
