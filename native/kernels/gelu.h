// The exact GELU, y = x * Phi(x) with the normal distribution's Phi, and its gradient dx = dy * (Phi(x) + x * phi(x)).
#pragma once
#include <cstdint>

namespace morphmlp {

struct GeluForward {
  int64_t n;
  const float* x;
  float* y;
};

struct GeluBackward {
  int64_t n;
  const float *x, *dy;
  float* dx;
};

}  // namespace morphmlp
