// BatchNorm over the rows of x[rows, cols] (PyTorch's semantics): in training by the batch's mean and biased variance,
// and the running statistics move by `momentum` towards mean and unbiased variance; otherwise by the running
// statistics. With gelu the exact GELU follows in the same pass. mean and rstd, as used, are written for the backward.
#pragma once
#include <cstdint>

namespace morphmlp {

template <class T>
struct BatchNormForwardOf {
  int64_t rows, cols;
  bool training, gelu;
  float momentum, eps;
  const T* x;
  const float *gamma, *beta;
  float *running_mean, *running_var;  // written in training only
  T* y;
  float *mean, *rstd;
};
using BatchNormForward = BatchNormForwardOf<float>;

template <class T>
struct BatchNormBackwardOf {
  int64_t rows, cols;
  bool training, gelu;
  const T *x, *dy;
  const float *gamma, *beta, *mean, *rstd;
  T* dx;
  float *dgamma, *dbeta;
};
using BatchNormBackward = BatchNormBackwardOf<float>;

}  // namespace morphmlp
