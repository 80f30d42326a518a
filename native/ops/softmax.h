// Softmax over each row of x[rows, cols]; the backward takes y: dx = y * (dy - sum(dy * y)).
#pragma once
#include <cstdint>

namespace morphmlp {

struct SoftmaxForward {
  int64_t rows, cols;
  const float* x;
  float* y;
};

struct SoftmaxBackward {
  int64_t rows, cols;
  const float *y, *dy;
  float* dx;
};

}  // namespace morphmlp
