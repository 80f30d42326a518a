// y[clip, c] = mean over the tokens of the sum of the inputs [clip, token, c]; the backward spreads dy / tokens over
// all tokens.
#pragma once
#include <cstdint>

namespace morphmlp {

struct MeanPoolForward {
  int64_t clips, tokens, channels, inputs;
  const float* x[3];
  float* y;
};

struct MeanPoolBackward {
  int64_t clips, tokens, channels;
  const float* dy;
  float* dx;
};

}  // namespace morphmlp
