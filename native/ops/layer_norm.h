// LayerNorm over the last dimension of x[rows, cols]: y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(var + eps),
// with the biased variance. mean and rstd (one a row) are written for the backward.
#pragma once
#include <cstdint>

namespace morphmlp {

template <class T>
struct LayerNormForwardOf {
  int64_t rows, cols;
  float eps;
  const T* x;
  const float *gamma, *beta;
  T* y;
  float *mean, *rstd;
};
using LayerNormForward = LayerNormForwardOf<float>;

template <class T>
struct LayerNormBackwardOf {
  int64_t rows, cols;
  const T *x, *dy;
  const float *gamma, *mean, *rstd;
  T* dx;
  float *dgamma, *dbeta;
};
using LayerNormBackward = LayerNormBackwardOf<float>;

}  // namespace morphmlp
