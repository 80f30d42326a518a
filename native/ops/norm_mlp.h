// The MLP part of a block as one kernel: y = x + scale * (gelu(LN(x) w1^T + b1) w2^T + b2), row by row, with LN's gamma
// and beta. scale holds one number a clip (drop path) or is null. Only z = LN(x) w1^T + b1 and LN's statistics are kept
// for the backward, and only where it follows (z null otherwise).
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

struct NormMlpShape {
  int64_t rows, channels, hidden, rows_per_clip;
};

template <class T>
struct NormMlpForwardOf {
  NormMlpShape at;
  float eps;
  const T* x;
  const float *gamma, *beta;
  Buffer* w1;
  const float* b1;
  Buffer* w2;
  const float *b2, *scale;
  T *y, *z;
  float *mean, *rstd;
};
using NormMlpForward = NormMlpForwardOf<float>;

template <class T>
struct NormMlpBackwardOf {
  NormMlpShape at;
  const T* x;
  const float *gamma, *beta;
  Buffer *w1, *w2;
  const T *z, *dy;
  const float *scale, *mean, *rstd;
  T* dx;
  float *dgamma, *dbeta, *dw1, *db1, *dw2, *db2;
};
using NormMlpBackward = NormMlpBackwardOf<float>;

}  // namespace morphmlp
