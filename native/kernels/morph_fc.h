// MorphFC, one spatial branch (paper section 3.2, equation 2): the tokens of each frame are cut into chunks of `chunk`
// tokens, the channels into `chunk` groups, and each group of a chunk, chunk * (channels / chunk) = channels numbers,
// goes through one FC [channels, channels] and back to its places. `vertical` counts tokens down the columns (height
// branch); `strided` takes token l * J + j into chunk j (stage 4). Tokens beyond the frame's end are zeros, and their
// outputs are dropped.
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

struct MorphFcShape {
  int64_t frames, height, width, channels, chunk;
  bool vertical, strided;
};

struct MorphFcForward {
  MorphFcShape at;
  const float* x;
  Buffer* weight;
  const float* bias;  // or null
  float* y;
};

struct MorphFcBackward {
  MorphFcShape at;
  const float* x;
  Buffer* weight;
  const float* dy;
  float* dx;       // or null
  float* dweight;  // or null
  float* dbias;    // or null
};

}  // namespace morphmlp
