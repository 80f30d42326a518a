// The network's input of clips as bytes: x[clip, channel, t, y, x] = (pixel / 255 - mean) / std, by a table of what
// each byte becomes in each channel, and mixed with the batch in reverse: inside a box `keep` times the clip's own
// number plus `take` times that of clip B - 1 - b. So a batch goes to a GPU as a quarter of the bytes.
#pragma once
#include <cstdint>

namespace morphmlp {

constexpr int64_t kByteValues = 256;

// What `settings` has: three tables, then how clips are mixed, whole numbers but for the shares.
constexpr int64_t kClipTables = 3 * kByteValues, kClipSettings = kClipTables + 6;
struct ClipMix {
  float keep, take, x, y, width, height;
};

template <class T>
struct ClipInputForwardOf {
  int64_t clips, frames, height, width;
  const uint8_t* pixels;  // [clips, frames, height, width, 3]
  const float* settings;  // [kClipSettings]
  T* x;                   // [clips, 3, frames, height, width]
};
using ClipInputForward = ClipInputForwardOf<float>;

}  // namespace morphmlp
