// BatchNorm over the rows of x[rows, cols] (PyTorch's semantics): in training by the batch's mean and biased variance,
// and the running statistics move by `momentum` towards mean and unbiased variance; otherwise by the running
// statistics. With gelu the exact GELU follows in the same pass. mean and rstd, as used, are written for the backward.
#pragma once
#include <cstdint>

namespace morphmlp {

struct BatchNormForward {
  int64_t rows, cols;
  bool training, gelu;
  float momentum, eps;
  const float *x, *gamma, *beta;
  float *running_mean, *running_var;  // written in training only
  float *y, *mean, *rstd;
};

struct BatchNormBackward {
  int64_t rows, cols;
  bool training, gelu;
  const float *x, *gamma, *beta, *mean, *rstd, *dy;
  float *dx, *dgamma, *dbeta;
};

}  // namespace morphmlp
