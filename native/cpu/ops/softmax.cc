#include "ops/softmax.h"

#include "cpu/rows.h"
#include "cpu/simd/vmath.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

int64_t rows_per_block(int64_t cols) { return std::max<int64_t>(1, 8192 / std::max<int64_t>(1, cols)); }

// Propagates NaN, unlike std::max.
float row_max(const float* x, int64_t n) {
  float largest = x[0];
  for (int64_t i = 1; i < n; ++i) largest = x[i] <= largest ? largest : x[i];
  return largest;
}

void forward_row(const float* x, int64_t n, float* y) {
  const V largest = set1(row_max(x, n));
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(y + i, exp(sub(get(x + i), largest))); });
  V sum = zero();
  for_lanes(n, [&](int64_t i, auto get, auto) { sum = add(sum, get(y + i)); });
  const V total = set1(hsum(sum));
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(y + i, div(get(y + i), total)); });
}

void backward_row(const float* y, const float* dy, int64_t n, float* dx) {
  V sum = zero();
  for_lanes(n, [&](int64_t i, auto get, auto) { sum = fma(get(y + i), get(dy + i), sum); });
  const V mean = set1(hsum(sum));
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(dx + i, mul(get(y + i), sub(get(dy + i), mean))); });
}

}  // namespace

void softmax_forward(const SoftmaxForward& p) {
  if (p.cols == 0) return;
  for_blocks(p.rows, rows_per_block(p.cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) forward_row(p.x + row * p.cols, p.cols, p.y + row * p.cols);
  });
}

void softmax_backward(const SoftmaxBackward& p) {
  for_blocks(p.rows, rows_per_block(p.cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      backward_row(p.y + row * p.cols, p.dy + row * p.cols, p.cols, p.dx + row * p.cols);
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
