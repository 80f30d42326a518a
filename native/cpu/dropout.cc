#include "kernels/dropout.h"

#include "cpu/philox.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

void dropout_factors(const DropoutFactors& p) {
  const float kept = 1.0f / (1.0f - p.p);
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      p.factor[i] = philox_uniform(p.seed, p.offset, static_cast<uint64_t>(i)) < p.p ? 0.0f : kept;
  });
}

void dropout_apply(const DropoutApply& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    if (p.span == 1) {
      for (int64_t i = begin; i < end; ++i) p.y[i] = p.x[i] * p.factor[i];
      return;
    }
    for (int64_t i = begin; i < end; ++i) p.y[i] = p.x[i] * p.factor[i / p.span];
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
