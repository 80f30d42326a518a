#include "ops/dropout.h"

#include "cpu/rows.h"
#include "ops/philox.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// y = factor * x for n elements.
template <class T>
void scale_row(const T* x, float factor, int64_t n, T* y) {
  const V by = set1(factor);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(y + i, mul(get(x + i), by)); });
}

}  // namespace

void dropout_factors(const DropoutFactors& p) {
  static_assert(kElementBlock % 4 == 0, "a Philox block must not be shared by two tasks");
  const float kept = 1.0f / (1.0f - p.p);
  const uint64_t seed = philox_seed(p), offset = philox_offset(p);
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 4) {
      const PhiloxBlock block = philox(seed, (offset + static_cast<uint64_t>(i)) / 4);
      for (int64_t j = i; j < std::min(end, i + 4); ++j)
        p.factor[j] = philox_uniform(block.word[j - i]) < p.p ? 0.0f : kept;
    }
  });
}

template <class T>
void dropout_apply(const DropoutApplyOf<T>& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    if (p.span == 1) {
      for_lanes(end - begin, [&](int64_t i, auto get, auto put) {
        put(p.y + begin + i, mul(get(p.x + begin + i), get(p.factor + begin + i)));
      });
      return;
    }
    for (int64_t i = begin; i < end;) {
      const int64_t next = std::min(end, (i / p.span + 1) * p.span);
      scale_row(p.x + i, p.factor[i / p.span], next - i, p.y + i);
      i = next;
    }
  });
}
FOR_FLOATS(dropout_apply, DropoutApply)

}  // namespace morphmlp::MORPHMLP_ISA
