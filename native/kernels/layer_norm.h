// LayerNorm over the last dimension of x[rows, cols]: y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(var + eps),
// with the biased variance. mean and rstd (one a row) are written for the backward.
#pragma once
#include <cstdint>

namespace morphmlp {

struct LayerNormForward {
  int64_t rows, cols;
  float eps;
  const float *x, *gamma, *beta;
  float *y, *mean, *rstd;
};

struct LayerNormBackward {
  int64_t rows, cols;
  const float *x, *gamma, *mean, *rstd, *dy;
  float *dx, *dgamma, *dbeta;
};

}  // namespace morphmlp
