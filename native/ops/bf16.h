// bf16 as it lies in memory: the upper half of a float. Arithmetic is in float; only what a tensor keeps is rounded.
// Kernels with bf16 take their activations and the gradients of these as T (float or Bf16), and all else, parameters,
// their gradients and statistics, as float.
#pragma once
#include <cstdint>

namespace morphmlp {

struct Bf16 {
  uint16_t bits;
};

}  // namespace morphmlp
