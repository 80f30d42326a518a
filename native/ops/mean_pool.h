// y[clip, c] = mean over the tokens of the sum of the inputs [clip, token, c]; the backward spreads dy / tokens over
// all tokens.
#pragma once
#include <cstdint>

namespace morphmlp {

template <class T>
struct MeanPoolForwardOf {
  int64_t clips, tokens, channels, inputs;
  const T* x[3];
  float* y;
};
using MeanPoolForward = MeanPoolForwardOf<float>;

template <class T>
struct MeanPoolBackwardOf {
  int64_t clips, tokens, channels;
  const float* dy;
  T* dx;
};
using MeanPoolBackward = MeanPoolBackwardOf<float>;

}  // namespace morphmlp
