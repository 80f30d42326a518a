#include "ops/adamw.h"

#include "cuda/ops/multi_tensor_apply.h"
#include "ops/adamw_rates.h"

namespace morphmlp::cuda {
namespace {

struct Step {
  AdamwRates given;
  const float* numbers;  // overrides `given` in a replayed graph; null else
  float eps, move1, move2;

  template <int N>
  __device__ void run(const TensorChunk& chunk, int64_t i) const {
    const AdamwRates now = numbers ? AdamwRates{numbers[0], numbers[1], numbers[2]} : given;
    const Vec<N> grad = load<N>(chunk.at[1] + i);
    Vec<N> w = load<N>(chunk.at[0] + i), m = load<N>(chunk.at[2] + i), v = load<N>(chunk.at[3] + i);
    for (int j = 0; j < N; ++j) {
      const float g = grad.at[j];
      m.at[j] = fmaf(move1, g - m.at[j], m.at[j]);
      v.at[j] = fmaf(move2, g * g - v.at[j], v.at[j]);
      w.at[j] = fmaf(-now.rate, m.at[j] / fmaf(sqrtf(v.at[j]), now.root2, eps), w.at[j] * now.shrink);
    }
    store(chunk.at[0] + i, w);
    store(chunk.at[2] + i, m);
    store(chunk.at[3] + i, v);
  }
};

}  // namespace

void adamw_step(const AdamwStep& p) {
  multi_tensor_apply(chunks_of_tensors(p.lengths, {written(p.parameters), read_only(p.gradients), written(p.first),
                                                   written(p.second)}),
                     Step{adamw_rates(p), p.numbers, p.eps, 1 - p.beta1, 1 - p.beta2});
}

void adamw_numbers(const AdamwNumbers& p) {
  const AdamwRates now = adamw_rates(p);
  const float numbers[kAdamwNumbers] = {now.rate, now.root2, now.shrink};
  upload(p.numbers, numbers, sizeof(numbers));
}

}  // namespace morphmlp::cuda
