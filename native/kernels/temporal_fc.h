// MorphFC along time (paper section 3.3): at each position of a clip the channels are cut into `groups` groups of S =
// channels / groups, and each group's steps * S numbers go through one FC [steps * S, steps * S] and back to their
// places.
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

struct TemporalFcShape {
  int64_t clips, steps, positions, channels, groups;
};

struct TemporalFcForward {
  TemporalFcShape at;
  const float* x;
  Buffer* weight;
  const float* bias;  // or null
  float* y;
};

struct TemporalFcBackward {
  TemporalFcShape at;
  const float* x;
  Buffer* weight;
  const float* dy;
  float* dx;       // or null
  float* dweight;  // or null
  float* dbias;    // or null
};

}  // namespace morphmlp
