#include "kernels/dropout.h"

#include "cuda/numbers.h"
#include "kernels/philox.h"

namespace morphmlp::cuda {
namespace {

// Four factors, from the four words of a block of random bits.
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
  __device__ void operator()(int64_t i) const { store(p.y + i, load(p.x + i) * p.factor[i / p.span]); }
};

}  // namespace

void dropout_factors(const DropoutFactors& p) { launch_each(blocks_of(p.n, 4), Factors{p, 1.0f / (1.0f - p.p)}); }
template <class T>
void dropout_apply(const DropoutApplyOf<T>& p) {
  launch_each(p.n, Apply<T>{p});
}
FOR_FLOATS(dropout_apply, DropoutApply)

}  // namespace morphmlp::cuda
