// The number of NaN and infinite elements of x[n], written to found[0]: anomaly detection and the early stop of a
// training run.
#pragma once
#include <cstdint>

namespace morphmlp {

struct NonFiniteCount {
  int64_t n;
  const float* x;
  float* found;
};

}  // namespace morphmlp
