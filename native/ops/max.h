// y[o, i] = the largest of x[o, :, i], and where it stands: at the first of equals, or at the first NaN. The gradient
// goes there alone.
#pragma once
#include <cstdint>

namespace morphmlp {

struct MaxForward {
  int64_t outer, n, inner;
  const float* x;
  float* y;
  int32_t* index;
};

struct MaxBackward {
  int64_t outer, n, inner;
  const float* dy;
  const int32_t* index;
  float* dx;
};

}  // namespace morphmlp
