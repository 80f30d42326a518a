// LayerNorm of rows, a warp a row: what layer_norm and the fused kernels share.
#pragma once
#include "cuda/column_sums.h"
#include "cuda/tokens.h"

namespace morphmlp::cuda {

// A warp for each row.
struct WarpRows : Unshared {
  static constexpr int kRows = kThreads / kWarpSize;
  __device__ static int64_t row() {
    return static_cast<int64_t>(blockIdx.x) * kRows + static_cast<int>(threadIdx.x) / kWarpSize;
  }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
};

template <class Kernel>
void launch_rows(int64_t rows, const Kernel& kernel) {
  launch({blocks_of(rows, WarpRows::kRows)}, kernel);
}

// mean and rstd = 1 / sqrt(variance + eps) of each row, and y = LN(x) where it is not null. Two passes over the row: a
// mean far from zero costs no digits.
template <class T>
struct NormRows : WarpRows {
  const T* x;
  int64_t rows;
  int columns;
  float eps;
  const float *gamma, *beta;
  float *mean, *rstd;
  T* y;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= rows) return;
    const T* from = x + r * columns;
    float sum = 0, squares = 0;
    for (int c = lane(); c < columns; c += kWarpSize) sum += load(from + c);
    const float m = warp_sum(sum) / static_cast<float>(columns);
    for (int c = lane(); c < columns; c += kWarpSize) {
      const float d = load(from + c) - m;
      squares = fmaf(d, d, squares);
    }
    const float scale = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(columns) + eps);
    if (lane() == 0) {
      mean[r] = m;
      rstd[r] = scale;
    }
    if (!y) return;
    for (int c = lane(); c < columns; c += kWarpSize)
      store(y + r * columns + c, fmaf((load(from + c) - m) * scale, gamma[c], beta[c]));
  }
};

// The statistics alone, for kernels that norm as they load.
template <class T>
void norm_statistics(const T* x, int64_t rows, int64_t columns, float eps, float* mean, float* rstd) {
  launch_rows(rows, NormRows<T>{{}, x, rows, as_int(columns), eps, nullptr, nullptr, mean, rstd, nullptr});
}

// With g = dy * gamma: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), plus `residual` where it is not null. dx may
// be dy.
template <class T>
struct NormRowsBackward : WarpRows {
  const T* x;
  int64_t rows;
  int columns;
  const float *gamma, *mean, *rstd;
  const T *dy, *residual;
  T* dx;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= rows) return;
    const int64_t first = r * columns;
    float sum = 0, dot = 0;
    for (int c = lane(); c < columns; c += kWarpSize) {
      const float g = load(dy + first + c) * gamma[c];
      sum += g;
      dot = fmaf(g, normed(r, first + c), dot);
    }
    const float mean_g = warp_sum(sum) / static_cast<float>(columns);
    const float mean_gx = warp_sum(dot) / static_cast<float>(columns);
    for (int c = lane(); c < columns; c += kWarpSize) {
      const float g = load(dy + first + c) * gamma[c];
      const float d = rstd[r] * (g - mean_g - normed(r, first + c) * mean_gx);
      store(dx + first + c, residual ? load(residual + first + c) + d : d);
    }
  }

 private:
  __device__ float normed(int64_t r, int64_t i) const { return (load(x + i) - mean[r]) * rstd[r]; }
};

template <class T>
struct NormParameters {
  static constexpr int kSums = 2;
  const T* x;
  int columns;
  const float *mean, *rstd;
  const T* dy;
  float *dgamma, *dbeta;

  __device__ void add(int, int64_t row, int column, float (&sum)[2]) const {
    const float d = load(dy + row * columns + column);
    sum[0] = fmaf(d, (load(x + row * columns + column) - mean[row]) * rstd[row], sum[0]);
    sum[1] += d;
  }
  __device__ void finish(int, int column, const double (&sum)[2]) const {
    dgamma[column] = static_cast<float>(sum[0]);
    dbeta[column] = static_cast<float>(sum[1]);
  }
};

// What a LayerNorm's backward reads and writes.
template <class T>
struct NormGradient {
  int64_t rows, columns;
  const T* x;
  const float *gamma, *mean, *rstd;
  const T *dy, *residual;  // residual or null
  T* dx;
  float *dgamma, *dbeta;
};

template <class T>
void norm_backward(const NormGradient<T>& p) {
  const int columns = as_int(p.columns);
  column_sums(1, p.rows, p.columns, NormParameters<T>{p.x, columns, p.mean, p.rstd, p.dy, p.dgamma, p.dbeta});
  launch_rows(p.rows, NormRowsBackward<T>{{}, p.x, p.rows, columns, p.gamma, p.mean, p.rstd, p.dy, p.residual, p.dx});
}

}  // namespace morphmlp::cuda
