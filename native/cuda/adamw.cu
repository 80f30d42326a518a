#include "kernels/adamw.h"

#include "cuda/many_tensors.h"
#include "kernels/adamw_rates.h"

namespace morphmlp::cuda {
namespace {

struct Step {
  AdamwRates given;
  const float* numbers;  // in place of those given, where a replayed launch finds the ones of its own step
  float eps, move1, move2;

  __device__ void operator()(const Piece& piece, int64_t i) const {
    float *w = piece.at[0] + i, *m = piece.at[2] + i, *v = piece.at[3] + i;
    const float grad = piece.at[1][i];
    const AdamwRates now = numbers ? AdamwRates{numbers[0], numbers[1], numbers[2]} : given;
    *m = fmaf(move1, grad - *m, *m);
    *v = fmaf(move2, grad * grad - *v, *v);
    *w = fmaf(-now.rate, *m / fmaf(sqrtf(*v), now.root2, eps), *w * now.shrink);
  }
};

}  // namespace

void adamw_step(const AdamwStep& p) {
  launch_many(
      pieces_of(p.lengths, {written(p.parameters), read_only(p.gradients), written(p.first), written(p.second)}),
      Step{adamw_rates(p), p.numbers, p.eps, 1 - p.beta1, 1 - p.beta2});
}

void adamw_numbers(const AdamwNumbers& p) {
  const AdamwRates now = adamw_rates(p);
  const float numbers[kAdamwNumbers] = {now.rate, now.root2, now.shrink};
  upload(p.numbers, numbers, sizeof(numbers));
}

}  // namespace morphmlp::cuda
