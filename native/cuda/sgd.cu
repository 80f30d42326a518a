#include "kernels/sgd.h"

#include "cuda/many_tensors.h"

namespace morphmlp::cuda {
namespace {

struct Step {
  float lr, momentum, decay;
  bool nesterov;
  const float* lr_of_step;

  __device__ void operator()(const Piece& piece, int64_t i) const {
    float *w = piece.at[0] + i, *velocity = piece.at[2] + i;
    const float grad = fmaf(decay, *w, piece.at[1][i]);
    *velocity = fmaf(momentum, *velocity, grad);
    const float rate = lr_of_step ? *lr_of_step : lr;
    *w = fmaf(-rate, nesterov ? fmaf(momentum, *velocity, grad) : *velocity, *w);
  }
};

}  // namespace

void sgd_step(const SgdStep& p) {
  launch_many(pieces_of(p.lengths, {written(p.parameters), read_only(p.gradients), written(p.buffers)}),
              Step{p.lr, p.momentum, p.decay, p.nesterov, p.lr_of_step});
}

}  // namespace morphmlp::cuda
