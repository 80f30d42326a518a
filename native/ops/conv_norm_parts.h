// The two parts of conv_norm_forward, as calls of their own.
#pragma once
#include "ops/batch_norm.h"
#include "ops/conv3d.h"
#include "ops/conv_norm.h"

namespace morphmlp {

template <class T>
Conv3dForwardOf<T> convolution_of(const ConvNormForwardOf<T>& p) {
  return {p.at, p.x, p.weight, p.bias, p.u ? p.u : p.y};
}

// Normalisation of the convolution's result, in place where that is not kept.
template <class T>
BatchNormForwardOf<T> norm_of(const ConvNormForwardOf<T>& p) {
  const int64_t rows = p.at.batch * p.at.out[0] * p.at.out[1] * p.at.out[2];
  return {rows,   p.at.out_channels, p.training,    p.gelu, p.momentum, p.eps, p.u ? p.u : p.y, p.gamma,
          p.beta, p.running_mean,    p.running_var, p.y,    p.mean,     p.rstd};
}

}  // namespace morphmlp
