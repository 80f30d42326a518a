// The number of NaN and infinite elements of x[n], written to found[0]: anomaly detection and the early stop of a
// training run.
#pragma once
#include <cstdint>

namespace morphmlp {

template <class T>
struct NonFiniteCountOf {
  int64_t n;
  const T* x;
  float* found;
};
using NonFiniteCount = NonFiniteCountOf<float>;

}  // namespace morphmlp
