// A convolution and the BatchNorm behind it, with gelu and its GELU: conv3d_forward and batch_norm_forward as one. In
// training a GPU takes the statistics from what the convolution has in registers; in evaluation, where no backward
// follows (u null), its convolution stores y itself, and the CPU norms each block while it is in cache. What goes back
// is batch_norm_backward, of u, then conv3d_backward.
#pragma once
#include "ops/batch_norm.h"
#include "ops/conv3d.h"

namespace morphmlp {

template <class T>
struct ConvNormForwardOf {
  Conv3dShape at;
  bool training, gelu;
  float momentum, eps;
  const T* x;
  Buffer* weight;
  const float* bias;  // or null
  const float *gamma, *beta;
  float *running_mean, *running_var;  // written in training only
  T *y, *u;                           // u: the convolution's result, or null
  float *mean, *rstd;                 // as used
};
using ConvNormForward = ConvNormForwardOf<float>;

template <class T>
Conv3dForwardOf<T> convolution_of(const ConvNormForwardOf<T>& p) {
  return {p.at, p.x, p.weight, p.bias, p.u ? p.u : p.y};
}

// Of the convolution's result, in place where that is not kept.
template <class T>
BatchNormForwardOf<T> norm_of(const ConvNormForwardOf<T>& p) {
  const int64_t rows = p.at.batch * p.at.out[0] * p.at.out[1] * p.at.out[2];
  return {rows,   p.at.out_channels, p.training,    p.gelu, p.momentum, p.eps, p.u ? p.u : p.y, p.gamma,
          p.beta, p.running_mean,    p.running_var, p.y,    p.mean,     p.rstd};
}

}  // namespace morphmlp
