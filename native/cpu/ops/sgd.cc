#include "ops/sgd.h"

#include "cpu/ops/multi_tensor_apply.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

void sgd_step(const SgdStep& p) {
  const V lr = set1(p.lr_of_step ? *p.lr_of_step : p.lr), momentum = set1(p.momentum), decay = set1(p.decay);
  for_tensor_blocks(tensor_blocks(p.lengths), [&](const TensorBlock& block, int64_t) {
    const size_t t = block.tensor;
    float *w = p.parameters[t] + block.begin, *b = p.buffers[t] + block.begin;
    const float* g = p.gradients[t] + block.begin;
    for_lanes(block.end - block.begin, [&](int64_t i, auto get, auto put) {
      const V grad = fma(decay, get(w + i), get(g + i));
      const V velocity = fma(momentum, get(b + i), grad);
      put(b + i, velocity);
      put(w + i, fnma(lr, p.nesterov ? fma(momentum, velocity, grad) : velocity, get(w + i)));
    });
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
