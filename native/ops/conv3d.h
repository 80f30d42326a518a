// A 3-D convolution with zero padding, y[b, t', h', w', o] = bias[o] + sum over c and taps of weight[o, c, kt, kh, kw]
// * x. The input is [B, T, H, W, C], or with `planar` PyTorch's [B, C, T, H, W] (the network's input); the output is
// always channels last. With G `groups`, group g of the outputs sees group g of the channels alone, weight[out, C / G,
// kt, kh, kw]; such an input is never planar. `padding` lies before each axis; that behind it shows in `out` alone.
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

struct Conv3dShape {
  int64_t batch, in_channels, out_channels, groups;
  int64_t in[3], kernel[3], stride[3], padding[3], out[3];  // time, height, width
  bool planar;
};

template <class T>
struct Conv3dForwardOf {
  Conv3dShape at;
  const T* x;
  Buffer* weight;
  const float* bias;  // or null
  T* y;
};
using Conv3dForward = Conv3dForwardOf<float>;

template <class T>
struct Conv3dBackwardOf {
  Conv3dShape at;
  const T* x;
  Buffer* weight;
  const T* dy;
  T* dx;  // or null
  float* dweight;
  float* dbias;
};
using Conv3dBackward = Conv3dBackwardOf<float>;

}  // namespace morphmlp
