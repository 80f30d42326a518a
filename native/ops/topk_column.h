// The k first elements of one column in order, for the CPU and the GPU: k passes, no memory but the result.
#pragma once
#include "ops/both.h"
#include "ops/topk.h"

namespace morphmlp::MORPHMLP_ISA {

// Whether `value` at position i comes before `other` at position j.
MORPHMLP_BOTH inline bool comes_before(float value, int64_t i, float other, int64_t j, bool largest) {
  const bool above = value > other || (value != value && other == other);
  const bool below = value < other || (value == value && other != other);
  return above || below ? above == largest : i < j;
}

MORPHMLP_BOTH inline void topk_column(const TopkIndex& p, int64_t column) {
  const int64_t o = column / p.inner, i = column % p.inner;
  const float* x = p.x + o * p.n * p.inner + i;
  int32_t* index = p.index + o * p.k * p.inner + i;
  int64_t last = -1;
  for (int64_t rank = 0; rank < p.k; ++rank) {
    int64_t best = -1;
    for (int64_t j = 0; j < p.n; ++j) {
      const float value = x[j * p.inner];
      if (last >= 0 && !comes_before(x[last * p.inner], last, value, j, p.largest)) continue;
      if (best < 0 || comes_before(value, j, x[best * p.inner], best, p.largest)) best = j;
    }
    index[rank * p.inner] = static_cast<int32_t>(best);
    last = best;
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
