#include "kernels/layer_norm.h"

#include <cmath>
#include <cstring>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kRowBlock = 64;

float row_sum(const float* x, int64_t n) {
  V sum = zero();
  for_lanes(n, [&](int64_t i, auto get, auto) { sum = add(sum, get(x + i)); });
  return hsum(sum);
}

// Two passes: the row is in cache, and a mean far from zero costs no digits.
float row_variance(const float* x, int64_t n, float mean) {
  V sum = zero();
  const V m = set1(mean);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V d = sub(load(x + i), m);
    sum = fma(d, d, sum);
  }
  float rest = 0;  // a masked load would count its zeros as values
  for (; i < n; ++i) rest += (x[i] - mean) * (x[i] - mean);
  return (hsum(sum) + rest) / static_cast<float>(n);
}

void forward_row(const LayerNormForward& p, int64_t row) {
  const float* x = p.x + row * p.cols;
  float* y = p.y + row * p.cols;
  const float mean = row_sum(x, p.cols) / static_cast<float>(p.cols);
  const float rstd = 1.0f / std::sqrt(row_variance(x, p.cols, mean) + p.eps);
  p.mean[row] = mean;
  p.rstd[row] = rstd;
  const V m = set1(mean), r = set1(rstd);
  for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
    put(y + i, fma(mul(sub(get(x + i), m), r), get(p.gamma + i), get(p.beta + i)));
  });
}

// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)) with g = dy * gamma; sums: dgamma += dy * xhat, dbeta += dy.
void backward_row(const LayerNormBackward& p, int64_t row, float* sums) {
  const float *x = p.x + row * p.cols, *dy = p.dy + row * p.cols;
  float* dx = p.dx + row * p.cols;
  const V m = set1(p.mean[row]), r = set1(p.rstd[row]);
  V sum_g = zero(), sum_gx = zero();
  for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
    const V d = get(dy + i), xhat = mul(sub(get(x + i), m), r), g = mul(d, get(p.gamma + i));
    sum_g = add(sum_g, g);
    sum_gx = fma(g, xhat, sum_gx);
    put(sums + i, fma(d, xhat, get(sums + i)));
    put(sums + p.cols + i, add(d, get(sums + p.cols + i)));
  });
  const V mean_g = set1(hsum(sum_g) / static_cast<float>(p.cols));
  const V mean_gx = set1(hsum(sum_gx) / static_cast<float>(p.cols));
  for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
    const V xhat = mul(sub(get(x + i), m), r), g = mul(get(dy + i), get(p.gamma + i));
    put(dx + i, mul(r, fnma(xhat, mean_gx, sub(g, mean_g))));
  });
}

}  // namespace

void layer_norm_forward(const LayerNormForward& p) {
  for_blocks(p.rows, kRowBlock, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) forward_row(p, row);
  });
}

void layer_norm_backward(const LayerNormBackward& p) {
  std::vector<float> sums(static_cast<size_t>(2 * p.cols));
  sum_over_rows(p.rows, 2 * p.cols, sums.data(), [&](int64_t begin, int64_t end, float* partial) {
    for (int64_t row = begin; row < end; ++row) backward_row(p, row, partial);
  });
  std::memcpy(p.dgamma, sums.data(), static_cast<size_t>(p.cols) * sizeof(float));
  std::memcpy(p.dbeta, sums.data() + p.cols, static_cast<size_t>(p.cols) * sizeof(float));
}

}  // namespace morphmlp::MORPHMLP_ISA
