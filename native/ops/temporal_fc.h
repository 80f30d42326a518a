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

template <class T>
struct TemporalFcForwardOf {
  TemporalFcShape at;
  const T* x;
  Buffer* weight;
  const float* bias;  // or null
  T* y;
};
using TemporalFcForward = TemporalFcForwardOf<float>;

template <class T>
struct TemporalFcBackwardOf {
  TemporalFcShape at;
  const T* x;
  Buffer* weight;
  const T* dy;
  T* dx;           // or null
  float* dweight;  // or null
  float* dbias;    // or null
};
using TemporalFcBackward = TemporalFcBackwardOf<float>;

}  // namespace morphmlp
