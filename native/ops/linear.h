// y[rows, n] = x[rows, k] weight^T + bias, PyTorch's nn.Linear. With gelu: z = x weight^T + bias and y = gelu(z); z may
// be null where no backward follows. The backward takes dz: the gradient before the GELU.
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

template <class T>
struct LinearForwardOf {
  int64_t rows, n, k;
  bool gelu;
  const T* x;
  Buffer* weight;     // [n, k]
  const float* bias;  // [n] or null
  T* y;
  T* z;  // or null
};
using LinearForward = LinearForwardOf<float>;

template <class T>
struct LinearBackwardOf {
  int64_t rows, n, k;
  const T* x;
  Buffer* weight;
  const T* dy;
  T* dx;           // or null
  float* dweight;  // or null
  float* dbias;    // or null
};
using LinearBackward = LinearBackwardOf<float>;

}  // namespace morphmlp
