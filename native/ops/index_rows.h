// y[i, :] = x[index[i], :] for rows of `width` floats; the backward adds dy's rows back to where they came from, in
// order.
#pragma once
#include <cstdint>

namespace morphmlp {

struct IndexRowsForward {
  int64_t rows, width, taken;
  const float* x;
  const int32_t* index;
  float* y;
};

struct IndexRowsBackward {
  int64_t rows, width, taken;
  const float* dy;
  const int32_t* index;
  float* dx;
};

}  // namespace morphmlp
