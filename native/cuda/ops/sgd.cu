#include "ops/sgd.h"

#include "cuda/ops/multi_tensor_apply.h"

namespace morphmlp::cuda {
namespace {

struct Step {
  float lr, momentum, decay;
  bool nesterov;
  const float* lr_of_step;

  template <int N>
  __device__ void run(const Piece& piece, int64_t i) const {
    const float rate = lr_of_step ? *lr_of_step : lr;
    const Numbers<N> given = load<N>(piece.at[1] + i);
    Numbers<N> w = load<N>(piece.at[0] + i), velocity = load<N>(piece.at[2] + i);
    for (int j = 0; j < N; ++j) {
      const float grad = fmaf(decay, w.at[j], given.at[j]);
      velocity.at[j] = fmaf(momentum, velocity.at[j], grad);
      w.at[j] = fmaf(-rate, nesterov ? fmaf(momentum, velocity.at[j], grad) : velocity.at[j], w.at[j]);
    }
    store(piece.at[0] + i, w);
    store(piece.at[2] + i, velocity);
  }
};

}  // namespace

void sgd_step(const SgdStep& p) {
  launch_many(pieces_of(p.lengths, {written(p.parameters), read_only(p.gradients), written(p.buffers)}),
              Step{p.lr, p.momentum, p.decay, p.nesterov, p.lr_of_step});
}

}  // namespace morphmlp::cuda
