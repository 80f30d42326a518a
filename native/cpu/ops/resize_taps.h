// Bilinear reads of resize and pixel_cross_entropy.
#pragma once
#include <vector>

#include "cpu/simd/simd.h"
#include "ops/resize_axis.h"

namespace morphmlp::MORPHMLP_ISA {

inline std::vector<ResizeTap> taps_of(const ResizeAxis& axis) {
  std::vector<ResizeTap> taps(static_cast<size_t>(axis.out));
  for (int64_t i = 0; i < axis.out; ++i) taps[static_cast<size_t>(i)] = axis.tap(i);
  return taps;
}

// The four elements around a point of a picture [height, width, channels], and their weights.
template <class T>
struct Corners {
  const T *top, *top_right, *bottom, *bottom_right;
  V right, down;

  Corners(const T* x, int64_t width, int64_t channels, const ResizeTap& row, const ResizeTap& column)
      : top(x + (row.from * width + column.from) * channels),
        top_right(x + (row.from * width + column.to) * channels),
        bottom(x + (row.to * width + column.from) * channels),
        bottom_right(x + (row.to * width + column.to) * channels),
        right(set1(column.weight)),
        down(set1(row.weight)) {}

  // The values of the channels from c on, where `get` loads a vector.
  template <class Get>
  MORPHMLP_INLINE V at(int64_t c, Get&& get) const {
    const V above = lerp(get(top + c), get(top_right + c), right);
    return lerp(above, lerp(get(bottom + c), get(bottom_right + c), right), down);
  }

 private:
  static MORPHMLP_INLINE V lerp(V a, V b, V weight) { return fma(sub(b, a), weight, a); }
};

}  // namespace morphmlp::MORPHMLP_ISA
