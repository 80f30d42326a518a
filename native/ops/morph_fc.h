// MorphFC, one spatial branch (paper section 3.2, equation 2): the tokens of each frame are cut into chunks of `chunk`
// tokens, the channels into `groups` groups, and each group of a chunk, chunk * (channels / groups) = row() numbers,
// goes through one FC [row, row] and back to its places. The paper's network has as many groups as tokens in a chunk,
// so that row() is `channels`; table 8 has twice and half as many. `vertical` counts tokens down the columns (height
// branch); `strided` takes token l * J + j into chunk j (stage 4). Tokens beyond the frame's end are zeros, and their
// outputs are dropped.
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

struct MorphFcShape {
  int64_t frames, height, width, channels, chunk, groups;
  bool vertical, strided;

  int64_t row() const { return chunk * (channels / groups); }
};

template <class T>
struct MorphFcForwardOf {
  MorphFcShape at;
  const T* x;
  Buffer* weight;
  const float* bias;  // or null
  T* y;
};
using MorphFcForward = MorphFcForwardOf<float>;

template <class T>
struct MorphFcBackwardOf {
  MorphFcShape at;
  const T* x;
  Buffer* weight;
  const T* dy;
  T* dx;           // or null
  float* dweight;  // or null
  float* dbias;    // or null
};
using MorphFcBackward = MorphFcBackwardOf<float>;

}  // namespace morphmlp
