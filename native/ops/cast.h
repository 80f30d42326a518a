// y = x in the other type: rounded to the nearest bf16, ties to even (a NaN stays one), or exact. The gradient of
// either is the other.
#pragma once
#include <cstdint>

#include "ops/bf16.h"

namespace morphmlp {

struct CastToBf16 {
  int64_t n;
  const float* x;
  Bf16* y;
};

struct CastToF32 {
  int64_t n;
  const Bf16* x;
  float* y;
};

}  // namespace morphmlp
