#include "kernels/adamw.h"

#include <cmath>

#include "cuda/many_tensors.h"

namespace morphmlp::cuda {
namespace {

struct Step {
  float rate, eps, root2, shrink, move1, move2;

  __device__ void operator()(const Piece& piece, int64_t i) const {
    float *w = piece.at[0] + i, *m = piece.at[2] + i, *v = piece.at[3] + i;
    const float grad = piece.at[1][i];
    *m = fmaf(move1, grad - *m, *m);
    *v = fmaf(move2, grad * grad - *v, *v);
    *w = fmaf(-rate, *m / fmaf(sqrtf(*v), root2, eps), *w * shrink);
  }
};

}  // namespace

void adamw_step(const AdamwStep& p) {
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  const Step step{static_cast<float>(p.lr / correction1),
                  p.eps,
                  static_cast<float>(1 / std::sqrt(correction2)),
                  1 - p.lr * p.decay,
                  1 - p.beta1,
                  1 - p.beta2};
  launch_many(
      pieces_of(p.lengths, {written(p.parameters), read_only(p.gradients), written(p.first), written(p.second)}), step);
}

}  // namespace morphmlp::cuda
