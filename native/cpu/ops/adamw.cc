#include "ops/adamw.h"

#include "cpu/ops/multi_tensor_apply.h"
#include "cpu/rows.h"
#include "ops/adamw_rates.h"

namespace morphmlp::MORPHMLP_ISA {

void adamw_step(const AdamwStep& p) {
  const AdamwRates rates = p.numbers ? AdamwRates{p.numbers[0], p.numbers[1], p.numbers[2]} : adamw_rates(p);
  const V rate = set1(rates.rate), root2 = set1(rates.root2), shrink = set1(rates.shrink);
  const V eps = set1(p.eps), move1 = set1(1 - p.beta1), move2 = set1(1 - p.beta2);
  for_tensor_blocks(tensor_blocks(p.lengths), [&](const TensorBlock& block, int64_t) {
    const size_t t = block.tensor;
    float *w = p.parameters[t] + block.begin, *m = p.first[t] + block.begin, *v = p.second[t] + block.begin;
    const float* g = p.gradients[t] + block.begin;
    for_lanes(block.end - block.begin, [&](int64_t i, auto get, auto put) {
      const V grad = get(g + i);
      const V m1 = fma(move1, sub(grad, get(m + i)), get(m + i));
      const V v1 = fma(move2, sub(mul(grad, grad), get(v + i)), get(v + i));
      put(m + i, m1);
      put(v + i, v1);
      const V denominator = fma(sqrt(v1), root2, eps);
      put(w + i, fnma(rate, div(m1, denominator), mul(get(w + i), shrink)));
    });
  });
}

void adamw_numbers(const AdamwNumbers& p) {
  const AdamwRates rates = adamw_rates(p);
  p.numbers[0] = rates.rate;
  p.numbers[1] = rates.root2;
  p.numbers[2] = rates.shrink;
}

}  // namespace morphmlp::MORPHMLP_ISA
