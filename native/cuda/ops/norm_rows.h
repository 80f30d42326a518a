// LayerNorm, shared by layer_norm and the fused ops (norm_kernels.h, compiled by layer_norm.cu), and launches with one
// warp for each row.
#pragma once
#include "cuda/epilogue/loads.h"

namespace morphmlp::cuda {

// One warp processes one row.
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

// Arguments of LayerNorm: writes mean and rstd = 1 / sqrt(variance + eps) of each row and, unless null, y.
template <class T>
struct NormForward {
  int64_t rows, columns;
  float eps;
  const T* x;
  const float *gamma, *beta;  // null where y is
  float *mean, *rstd;
  T* y;
};

// Arguments of its backward. dx may alias dy.
template <class T>
struct NormGradient {
  int64_t rows, columns;
  const T* x;
  const float *gamma, *mean, *rstd;
  const T *dy, *residual;  // residual is added to dx; may be null
  T* dx;
  float *dgamma, *dbeta;
};

template <class T>
void norm_forward(const NormForward<T>& p);
template <class T>
void norm_backward(const NormGradient<T>& p);

// Statistics without y, for kernels that normalize as they load.
template <class T>
void norm_statistics(const T* x, int64_t rows, int64_t columns, float eps, float* mean, float* rstd) {
  norm_forward<T>({rows, columns, eps, x, nullptr, nullptr, mean, rstd, nullptr});
}

}  // namespace morphmlp::cuda
