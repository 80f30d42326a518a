#include "kernels/adamw.h"

#include <cmath>

#include "cpu/many_tensors.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

void adamw_step(const AdamwStep& p) {
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  const V rate = set1(static_cast<float>(p.lr / correction1)), eps = set1(p.eps);
  const V root2 = set1(static_cast<float>(1 / std::sqrt(correction2)));
  const V shrink = set1(1 - p.lr * p.decay), move1 = set1(1 - p.beta1), move2 = set1(1 - p.beta2);
  for_pieces(pieces_of(p.lengths), [&](const Piece& piece, int64_t) {
    const size_t t = piece.tensor;
    float *w = p.parameters[t] + piece.begin, *m = p.first[t] + piece.begin, *v = p.second[t] + piece.begin;
    const float* g = p.gradients[t] + piece.begin;
    for_lanes(piece.end - piece.begin, [&](int64_t i, auto get, auto put) {
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

}  // namespace morphmlp::MORPHMLP_ISA
