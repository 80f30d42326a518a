#include "ops/sgd.h"

#include "cuda/ops/multi_tensor_apply.h"

namespace morphmlp::cuda {
namespace {

struct Step {
  float lr, momentum, decay;
  bool nesterov;
  const float* lr_of_step;

  template <int N>
  __device__ void run(const TensorChunk& chunk, int64_t i) const {
    const float rate = lr_of_step ? *lr_of_step : lr;
    const Vec<N> given = load<N>(chunk.at[1] + i);
    Vec<N> w = load<N>(chunk.at[0] + i), velocity = load<N>(chunk.at[2] + i);
    for (int j = 0; j < N; ++j) {
      const float grad = fmaf(decay, w.at[j], given.at[j]);
      velocity.at[j] = fmaf(momentum, velocity.at[j], grad);
      w.at[j] = fmaf(-rate, nesterov ? fmaf(momentum, velocity.at[j], grad) : velocity.at[j], w.at[j]);
    }
    store(chunk.at[0] + i, w);
    store(chunk.at[2] + i, velocity);
  }
};

}  // namespace

void sgd_step(const SgdStep& p) {
  multi_tensor_apply(chunks_of_tensors(p.lengths, {written(p.parameters), read_only(p.gradients), written(p.buffers)}),
                     Step{p.lr, p.momentum, p.decay, p.nesterov, p.lr_of_step});
}

}  // namespace morphmlp::cuda
