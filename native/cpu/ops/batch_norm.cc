#include "cpu/ops/batch_norm.h"

#include <cmath>

#include "cpu/rows.h"
#include "cpu/simd/vmath.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kRowBlock = 64;

// Batch mean, then biased variance of the centred values, which avoids cancellation.
template <class T>
void batch_statistics(const BatchNormForwardOf<T>& p, float* mean, float* variance) {
  const float n = static_cast<float>(p.rows);
  sum_over_rows(p.rows, p.cols, mean, [&](int64_t begin, int64_t end, float* sums) {
    for (int64_t row = begin; row < end; ++row) add_row(sums, p.x + row * p.cols, p.cols);
  });
  for (int64_t c = 0; c < p.cols; ++c) mean[c] /= n;
  sum_over_rows(p.rows, p.cols, variance, [&](int64_t begin, int64_t end, float* sums) {
    for (int64_t row = begin; row < end; ++row)
      for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
        const V d = sub(get(p.x + row * p.cols + i), get(mean + i));
        put(sums + i, fma(d, d, get(sums + i)));
      });
  });
  for (int64_t c = 0; c < p.cols; ++c) variance[c] /= n;
}

template <class T>
void update_running_statistics(const BatchNormForwardOf<T>& p, const float* mean, const float* variance) {
  const float unbiased = static_cast<float>(p.rows) / static_cast<float>(p.rows - 1);
  for (int64_t c = 0; c < p.cols; ++c) {
    p.running_mean[c] += p.momentum * (mean[c] - p.running_mean[c]);
    p.running_var[c] += p.momentum * (variance[c] * unbiased - p.running_var[c]);
  }
}

// Computes dz = dy, or dy * gelu'(z) with z = xhat * gamma + beta, and accumulates dbeta = sum(dz) and dgamma = sum(dz
// * xhat). Keeps dz in dx if that is f32; in bf16 it would be rounded twice, so it is computed again.
template <class T>
constexpr bool kKeepsGradient = std::is_same_v<T, float>;

template <class T, class Get>
MORPHMLP_INLINE V gradient_of(const BatchNormBackwardOf<T>& p, int64_t row, int64_t i, V xhat, Get get) {
  const V dy = get(p.dy + row * p.cols + i);
  return p.gelu ? mul(dy, gelu_grad(fma(xhat, get(p.gamma + i), get(p.beta + i)))) : dy;
}

template <class T>
void gradient_row(const BatchNormBackwardOf<T>& p, int64_t row, float* sums) {
  const int64_t at = row * p.cols;
  for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
    const V xhat = mul(sub(get(p.x + at + i), get(p.mean + i)), get(p.rstd + i));
    const V dz = gradient_of(p, row, i, xhat, get);
    if (kKeepsGradient<T>) put(p.dx + at + i, dz);
    put(sums + i, fma(dz, xhat, get(sums + i)));
    put(sums + p.cols + i, add(dz, get(sums + p.cols + i)));
    if (p.training) put(sums + 2 * p.cols + i, add(xhat, get(sums + 2 * p.cols + i)));
  });
}

// In training sum(xhat) of a channel is zero except for the rounding of the mean, whose effect on dgamma over many rows
// can be as large as dgamma itself. Corrects dgamma by the actual sum, which stays zero in evaluation.
template <class T>
void write_parameter_gradients(const BatchNormBackwardOf<T>& p, const std::vector<float>& sums) {
  for (int64_t c = 0; c < p.cols; ++c) {
    const double dbeta = sums[p.cols + c], excess = sums[2 * p.cols + c];
    p.dbeta[c] = sums[p.cols + c];
    p.dgamma[c] = static_cast<float>(sums[c] - excess / static_cast<double>(p.rows) * dbeta);
  }
}

// dx = gamma * rstd * (dz - mean(dz) - xhat * mean(dz * xhat)); with fixed statistics the two means are dropped.
template <class T>
void input_gradient_row(const BatchNormBackwardOf<T>& p, int64_t row) {
  const V share = set1(p.training ? 1.0f / static_cast<float>(p.rows) : 0.0f);
  const int64_t at = row * p.cols;
  for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
    const V xhat = mul(sub(get(p.x + at + i), get(p.mean + i)), get(p.rstd + i));
    const V dz = kKeepsGradient<T> ? get(p.dx + at + i) : gradient_of(p, row, i, xhat, get);
    const V centred = fnma(share, get(p.dbeta + i), dz);
    const V d = fnma(mul(share, get(p.dgamma + i)), xhat, centred);
    put(p.dx + at + i, mul(mul(get(p.gamma + i), get(p.rstd + i)), d));
  });
}

template <class F>
void for_rows(int64_t rows, F&& body) {
  for_blocks(rows, kRowBlock, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace

template <class T>
void batch_norm_statistics(const BatchNormForwardOf<T>& p) {
  std::vector<float> variance(p.running_var, p.running_var + p.cols);
  if (p.training) {
    batch_statistics(p, p.mean, variance.data());
    update_running_statistics(p, p.mean, variance.data());
  } else {
    std::copy(p.running_mean, p.running_mean + p.cols, p.mean);
  }
  for (int64_t c = 0; c < p.cols; ++c) p.rstd[c] = 1.0f / std::sqrt(variance[c] + p.eps);
}

template <class T, class X>
void batch_norm_rows(const BatchNormForwardOf<T>& p, const X* x, int64_t rows, T* y) {
  for (int64_t at = 0; at < rows * p.cols; at += p.cols)
    for_lanes(p.cols, [&](int64_t i, auto get, auto put) {
      const V xhat = mul(sub(get(x + at + i), get(p.mean + i)), get(p.rstd + i));
      const V z = fma(xhat, get(p.gamma + i), get(p.beta + i));
      put(y + at + i, p.gelu ? gelu(z) : z);
    });
}

template void batch_norm_statistics(const BatchNormForward&);
template void batch_norm_statistics(const BatchNormForwardOf<Bf16>&);
template void batch_norm_rows(const BatchNormForward&, const float*, int64_t, float*);
template void batch_norm_rows(const BatchNormForwardOf<Bf16>&, const float*, int64_t, Bf16*);

template <class T>
void batch_norm_forward(const BatchNormForwardOf<T>& p) {
  batch_norm_statistics(p);
  for_blocks(p.rows, kRowBlock, [&](int64_t begin, int64_t end) {
    batch_norm_rows(p, p.x + begin * p.cols, end - begin, p.y + begin * p.cols);
  });
}
FOR_FLOATS(batch_norm_forward, BatchNormForward)

template <class T>
void batch_norm_backward(const BatchNormBackwardOf<T>& p) {
  std::vector<float> sums(static_cast<size_t>(3 * p.cols));
  sum_over_rows(p.rows, 3 * p.cols, sums.data(), [&](int64_t begin, int64_t end, float* partial) {
    for (int64_t row = begin; row < end; ++row) gradient_row(p, row, partial);
  });
  write_parameter_gradients(p, sums);
  for_rows(p.rows, [&](int64_t row) { input_gradient_row(p, row); });
}
FOR_FLOATS(batch_norm_backward, BatchNormBackward)

}  // namespace morphmlp::MORPHMLP_ISA
