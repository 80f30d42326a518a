// y[rows, n] = x[rows, k] weight^T + bias, PyTorch's nn.Linear. With gelu: z = x weight^T + bias and y = gelu(z); z may
// be null where no backward follows. The backward takes dz: the gradient before the GELU.
#pragma once
#include <cstdint>

#include "runtime/buffer.h"

namespace morphmlp {

struct LinearForward {
  int64_t rows, n, k;
  bool gelu;
  const float* x;
  Buffer* weight;     // [n, k]
  const float* bias;  // [n] or null
  float* y;
  float* z;  // or null
};

struct LinearBackward {
  int64_t rows, n, k;
  const float* x;
  Buffer* weight;
  const float* dy;
  float* dx;       // or null
  float* dweight;  // or null
  float* dbias;    // or null
};

}  // namespace morphmlp
