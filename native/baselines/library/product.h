// The matrix product of a library, for fc.cc.
#pragma once
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

// A dense row-major matrix, which the product reads transposed if `transposed`.
struct Matrix {
  void* data;
  int32_t dtype;
  bool transposed;
};

// y[r, :] += bias
inline int32_t add_bias(const morphmlp_call* call, int64_t m, int64_t n, const float* bias, float* c) {
  return bias ? morphmlp_rows(call, m, morphmlp_add_bias{n, bias, c}) : static_cast<int32_t>(MORPHMLP_OK);
}
