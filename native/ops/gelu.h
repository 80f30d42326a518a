// The exact GELU, y = x * Phi(x) with the normal distribution's Phi, and its gradient dx = dy * (Phi(x) + x * phi(x)).
#pragma once
#include <cstdint>

namespace morphmlp {

template <class T>
struct GeluForwardOf {
  int64_t n;
  const T* x;
  T* y;
};
using GeluForward = GeluForwardOf<float>;

template <class T>
struct GeluBackwardOf {
  int64_t n;
  const T *x, *dy;
  T* dx;
};
using GeluBackward = GeluBackwardOf<float>;

}  // namespace morphmlp
