// LayerNorm of one row, shared by layer_norm and the fused kernels.
#pragma once
#include <cmath>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

struct RowStatistics {
  float mean, rstd;
};

// Mean and 1 / sqrt(variance + eps) of a row. Two passes, which are accurate for a mean far from zero and cheap for a
// row in cache.
template <class T>
RowStatistics row_statistics(const T* x, int64_t n, float eps) {
  V sum = zero();
  for_lanes(n, [&](int64_t i, auto get, auto) { sum = add(sum, get(x + i)); });
  const float mean = hsum(sum) / static_cast<float>(n);
  const V m = set1(mean);
  V squares = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V d = sub(load(x + i), m);
    squares = fma(d, d, squares);
  }
  float rest = 0;  // scalar tail: the zeros of a masked load would count as values
  for (; i < n; ++i) rest += (to_float(x[i]) - mean) * (to_float(x[i]) - mean);
  const float variance = (hsum(squares) + rest) / static_cast<float>(n);
  return {mean, 1.0f / std::sqrt(variance + eps)};
}

// y = (x - mean) * rstd * gamma + beta
template <class T, class Y>
void normalise_row(const T* x, int64_t n, RowStatistics at, const float* gamma, const float* beta, Y* y) {
  const V m = set1(at.mean), r = set1(at.rstd);
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    put(y + i, fma(mul(sub(get(x + i), m), r), get(gamma + i), get(beta + i)));
  });
}

// The gradient of a normalised row: with g = dy * gamma, dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), plus
// `residual` if not null. Adds dy * xhat to dgamma and dy to dbeta. dx may be dy.
template <class T, class D>
void normalise_row_backward(const T* x, int64_t n, RowStatistics at, const float* gamma, const D* dy, const T* residual,
                            T* dx, float* dgamma, float* dbeta) {
  const V m = set1(at.mean), r = set1(at.rstd);
  V sum_g = zero(), sum_gx = zero();
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const V d = get(dy + i), xhat = mul(sub(get(x + i), m), r), g = mul(d, get(gamma + i));
    sum_g = add(sum_g, g);
    sum_gx = fma(g, xhat, sum_gx);
    put(dgamma + i, fma(d, xhat, get(dgamma + i)));
    put(dbeta + i, add(d, get(dbeta + i)));
  });
  const V mean_g = set1(hsum(sum_g) / static_cast<float>(n));
  const V mean_gx = set1(hsum(sum_gx) / static_cast<float>(n));
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    const V xhat = mul(sub(get(x + i), m), r), g = mul(get(dy + i), get(gamma + i));
    const V d = mul(r, fnma(xhat, mean_gx, sub(g, mean_g)));
    put(dx + i, residual ? add(get(residual + i), d) : d);
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
