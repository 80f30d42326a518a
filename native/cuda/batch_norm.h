// What batch_norm and conv_norm share: statistics of a batch, of their sums, and the pass that norms by them.
#pragma once
#include "cuda/numbers.h"
#include "kernels/batch_norm.h"

namespace morphmlp::cuda {

template <class T>
__device__ void finish_mean(const BatchNormForwardOf<T>& p, int column, double sum) {
  p.mean[column] = static_cast<float>(sum / static_cast<double>(p.rows));
}

// The biased variance from the sum of squares about the mean; then the running statistics, which take the unbiased one.
template <class T>
__device__ void finish_variance(const BatchNormForwardOf<T>& p, int column, double squares) {
  const float variance = static_cast<float>(squares / static_cast<double>(p.rows));
  const float unbiased = variance * (static_cast<float>(p.rows) / static_cast<float>(p.rows - 1));
  p.rstd[column] = 1.0f / sqrtf(variance + p.eps);
  p.running_mean[column] += p.momentum * (p.mean[column] - p.running_mean[column]);
  p.running_var[column] += p.momentum * (unbiased - p.running_var[column]);
}

template <class T>
struct FixedStatistics {
  BatchNormForwardOf<T> p;
  __device__ void operator()(int64_t column) const {
    p.mean[column] = p.running_mean[column];
    p.rstd[column] = 1.0f / sqrtf(p.running_var[column] + p.eps);
  }
};

template <class T>
struct Normalise {
  BatchNormForwardOf<T> p;
  __device__ void operator()(int64_t i) const {
    const int64_t c = i % p.cols;
    const float z = fmaf((load(p.x + i) - p.mean[c]) * p.rstd[c], p.gamma[c], p.beta[c]);
    store(p.y + i, p.gelu ? gelu_of<T>(z) : z);
  }
};

}  // namespace morphmlp::cuda
