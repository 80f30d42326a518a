#include "ops/layer_norm.h"

#include <cstring>

#include "cpu/ops/norm_rows.h"

namespace morphmlp::MORPHMLP_ISA {

constexpr int64_t kRowBlock = 64;

template <class T>
void layer_norm_forward(const LayerNormForwardOf<T>& p) {
  for_blocks(p.rows, kRowBlock, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const RowStatistics at = row_statistics(p.x + row * p.cols, p.cols, p.eps);
      p.mean[row] = at.mean;
      p.rstd[row] = at.rstd;
      normalise_row(p.x + row * p.cols, p.cols, at, p.gamma, p.beta, p.y + row * p.cols);
    }
  });
}
FOR_FLOATS(layer_norm_forward, LayerNormForward)

template <class T>
void layer_norm_backward(const LayerNormBackwardOf<T>& p) {
  constexpr const T* no_residual = nullptr;
  std::vector<float> sums(static_cast<size_t>(2 * p.cols));
  sum_over_rows(p.rows, 2 * p.cols, sums.data(), [&](int64_t begin, int64_t end, float* partial) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * p.cols;
      normalise_row_backward(p.x + at, p.cols, {p.mean[row], p.rstd[row]}, p.gamma, p.dy + at, no_residual, p.dx + at,
                             partial, partial + p.cols);
    }
  });
  std::memcpy(p.dgamma, sums.data(), static_cast<size_t>(p.cols) * sizeof(float));
  std::memcpy(p.dbeta, sums.data() + p.cols, static_cast<size_t>(p.cols) * sizeof(float));
}
FOR_FLOATS(layer_norm_backward, LayerNormBackward)

}  // namespace morphmlp::MORPHMLP_ISA
