#include "ops/norm_mlp.h"

#include <cstring>

#include "cpu/gemm/packed_weight.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/simd/vmath.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kNormed, kHidden, kOut, kGradOut, kGradHidden };

// Rows per block: the normalised rows, the hidden tile and the result fill about half of a 1 MiB L2, with a minimum
// that amortises reading the weights, which exceed L2 at the widest stage.
int64_t forward_rows(const NormMlpShape& at) {
  const int64_t fit = (128 << 10) / (at.hidden + 2 * at.channels) / kTileRows * kTileRows;
  constexpr int64_t least = 98 / kTileRows * kTileRows;
  return std::clamp<int64_t>(fit, least, std::max<int64_t>(least, 16 * kTileRows));
}

// The backward needs more rows, to amortise reading and writing the weight gradients once per block.
int64_t backward_rows(const NormMlpShape& at) { return at.channels < 300 ? 112 : 196; }

// active = gelu(hidden + b1); `active` may be in the memory of `hidden`. Stores hidden + b1 in z for the backward,
// unless z is null.
template <class T>
void activate_row(const float* hidden, const float* b1, int64_t n, T* z, Operand<T>* active) {
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const V sum = add(get(hidden + i), get(b1 + i));
    if (z) put(z + i, sum);
    put(active + i, gelu_of<T>(sum));
  });
}

template <class T>
void residual_row(const T* x, const float* out, const float* b2, float scale, int64_t n, T* y) {
  const V s = set1(scale);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(y + i, fma(s, add(get(out + i), get(b2 + i)), get(x + i))); });
}

float scale_of(const NormMlpShape& at, const float* scale, int64_t row) {
  return scale ? scale[row / at.rows_per_clip] : 1.0f;
}

template <class T>
void forward_block(const NormMlpForwardOf<T>& p, const Operand<T>* w1, const Operand<T>* w2, int64_t begin,
                   int64_t end) {
  const int64_t c = p.at.channels, h = p.at.hidden, rows = end - begin, stride = kNarrowed<Operand<T>> * h;
  auto* normed = scratch_of<Operand<T>>(kNormed, rows * c);
  float *hidden = scratch(kHidden, rows * h), *out = scratch(kOut, rows * c);
  auto* active = narrowed<Operand<T>>(hidden);
  for (int64_t row = begin; row < end; ++row) {
    const RowStatistics at = row_statistics(p.x + row * c, c, p.eps);
    p.mean[row] = at.mean;
    p.rstd[row] = at.rstd;
    normalise_row(p.x + row * c, c, at, p.gamma, p.beta, normed + (row - begin) * c);
  }
  gemm_block(rows, h, c, normed, c, w1, hidden, h, false);
  for (int64_t i = 0; i < rows; ++i)
    activate_row<T>(hidden + i * h, p.b1, h, p.z ? p.z + (begin + i) * h : nullptr, active + i * stride);
  gemm_block(rows, c, h, active, stride, w2, out, c, false);
  for (int64_t row = begin; row < end; ++row)
    residual_row(p.x + row * c, out + (row - begin) * c, p.b2, scale_of(p.at, p.scale, row), c, p.y + row * c);
}

// Offsets of the gradients within the sums of a split.
struct Sums {
  explicit Sums(const NormMlpShape& at)
      : dw1(0),
        dw2(at.hidden * at.channels),
        db1(2 * dw2),
        db2(db1 + at.hidden),
        dgamma(db2 + at.channels),
        dbeta(dgamma + at.channels),
        total(dbeta + at.channels) {}
  int64_t dw1, dw2, db1, db2, dgamma, dbeta, total;
};

// Recomputes hidden = gelu(z) and writes grad * gelu'(z) to `to`, which may be in the memory of `grad`.
template <class T>
void gelu_backward_row(const T* z, int64_t n, Operand<T>* hidden, const float* grad, Operand<T>* to) {
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    V value, slope;
    gelu_with_grad_of<T>(get(z + i), &value, &slope);
    put(hidden + i, value);
    put(to + i, mul(get(grad + i), slope));
  });
}

template <class T>
const Operand<T>* scaled_grad(const NormMlpBackwardOf<T>& p, int64_t begin, int64_t end) {
  const int64_t c = p.at.channels;
  if (!p.scale) return operand_of(p.dy + begin * c, (end - begin) * c, kGradOut);
  auto* scaled = scratch_of<Operand<T>>(kGradOut, (end - begin) * c);
  for (int64_t row = begin; row < end; ++row) {
    const V s = set1(scale_of(p.at, p.scale, row));
    const T* from = p.dy + row * c;
    auto* to = scaled + (row - begin) * c;
    for_lanes(c, [&](int64_t i, auto get, auto put) { put(to + i, mul(s, get(from + i))); });
  }
  return scaled;
}

template <class T>
void backward_block(const NormMlpBackwardOf<T>& p, const Operand<T>* w1, const Operand<T>* w2, int64_t begin,
                    int64_t end, float* sums, bool first) {
  const Sums at(p.at);
  const int64_t c = p.at.channels, h = p.at.hidden, rows = end - begin, stride = kNarrowed<Operand<T>> * h;
  const auto* grad_out = scaled_grad(p, begin, end);
  auto* hidden = scratch_of<Operand<T>>(kHidden, rows * h);
  float* grad_active = scratch(kGradHidden, rows * h);
  auto* grad_hidden = narrowed<Operand<T>>(grad_active);
  gemm_block(rows, h, c, grad_out, c, w2, grad_active, h, false);
  for (int64_t i = 0; i < rows; ++i)
    gelu_backward_row(p.z + (begin + i) * h, h, hidden + i * h, grad_active + i * h, grad_hidden + i * stride);
  gemm_tn_block(rows, c, h, grad_out, c, hidden, h, sums + at.dw2, h, !first);
  col_sum_block(rows, c, grad_out, c, sums + at.db2, !first);

  auto* normed = scratch_of<Operand<T>>(kNormed, rows * c);
  float* grad_normed = scratch(kOut, rows * c);
  for (int64_t row = begin; row < end; ++row)
    normalise_row(p.x + row * c, c, {p.mean[row], p.rstd[row]}, p.gamma, p.beta, normed + (row - begin) * c);
  gemm_tn_block(rows, h, c, grad_hidden, stride, normed, c, sums + at.dw1, c, !first);
  col_sum_block(rows, h, grad_hidden, stride, sums + at.db1, !first);
  gemm_block(rows, c, h, grad_hidden, stride, w1, grad_normed, c, false);
  if (first) std::memset(sums + at.dgamma, 0, static_cast<size_t>(2 * c) * sizeof(float));
  for (int64_t row = begin; row < end; ++row)
    normalise_row_backward(p.x + row * c, c, {p.mean[row], p.rstd[row]}, p.gamma, grad_normed + (row - begin) * c,
                           p.dy + row * c, p.dx + row * c, sums + at.dgamma, sums + at.dbeta);
}

}  // namespace

template <class T>
void norm_mlp_forward(const NormMlpForwardOf<T>& p) {
  const auto w1 = packed_weight<Operand<T>>(*p.w1, p.at.hidden, p.at.channels, Use::forward);
  const auto w2 = packed_weight<Operand<T>>(*p.w2, p.at.channels, p.at.hidden, Use::forward);
  for_blocks(p.at.rows, forward_rows(p.at),
             [&](int64_t begin, int64_t end) { forward_block(p, w1->data(), w2->data(), begin, end); });
}
FOR_FLOATS(norm_mlp_forward, NormMlpForward)

template <class T>
void norm_mlp_backward(const NormMlpBackwardOf<T>& p) {
  const auto w1 = packed_weight<Operand<T>>(*p.w1, p.at.hidden, p.at.channels, Use::backward);
  const auto w2 = packed_weight<Operand<T>>(*p.w2, p.at.channels, p.at.hidden, Use::backward);
  const int64_t c = p.at.channels, h = p.at.hidden, block = backward_rows(p.at);
  const Sums at(p.at);
  SplitReducer sums(blocks_of(p.at.rows, block), at.total);
  sums.run([&](int64_t index, float* part, bool first) {
    const int64_t begin = index * block, end = std::min(p.at.rows, begin + block);
    backward_block(p, w1->data(), w2->data(), begin, end, part, first);
  });
  sums.reduce(at.dw1, h * c, p.dw1);
  sums.reduce(at.dw2, h * c, p.dw2);
  sums.reduce(at.db1, h, p.db1);
  sums.reduce(at.db2, c, p.db2);
  sums.reduce(at.dgamma, c, p.dgamma);
  sums.reduce(at.dbeta, c, p.dbeta);
}
FOR_FLOATS(norm_mlp_backward, NormMlpBackward)

}  // namespace morphmlp::MORPHMLP_ISA
