#include "ops/dropout.h"

#include "cuda/vectorized.h"
#include "ops/philox.h"

namespace morphmlp::cuda {
namespace {

// Four factors from one Philox block of four random words.
struct Factors {
  DropoutFactors p;
  float kept;

  __device__ void operator()(int64_t i) const {
    const PhiloxBlock block = philox(philox_seed(p), philox_offset(p) / 4 + i);
    for (int j = 0; j < 4 && 4 * i + j < p.n; ++j)
      p.factor[4 * i + j] = philox_uniform(block.word[j]) < p.p ? 0.0f : kept;
  }
};

template <class T>
struct Apply {
  DropoutApplyOf<T> p;
  // One factor for each value (span 1), or one for each `span` values.
  template <int N>
  __device__ void run(int64_t i) const {
    Vec<N> value = load<N>(p.x + i);
    const float* factor = p.factor + i / p.span;
    for (int j = 0; j < N; ++j) value.at[j] *= factor[p.span == 1 ? j : 0];
    store(p.y + i, value);
  }
};

}  // namespace

void dropout_factors(const DropoutFactors& p) { launch_each(blocks_of(p.n, 4), Factors{p, 1.0f / (1.0f - p.p)}); }
template <class T>
void dropout_apply(const DropoutApplyOf<T>& p) {
  const bool runs = aligned(p.x, p.y) && (p.span == 1 || p.span % kVecSize<T> == 0);
  launch_vectorized<kVecSize<T>>(p.n, runs, Apply<T>{p});
}
FOR_FLOATS(dropout_apply, DropoutApply)

}  // namespace morphmlp::cuda
