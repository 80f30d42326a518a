// Shared by batch_norm and conv_norm: statistics of a batch from its sums, and the normalizing pass.
#pragma once
#include "cuda/vectorized.h"
#include "ops/batch_norm.h"

namespace morphmlp::cuda {

template <class T>
__device__ void finish_mean(const BatchNormForwardOf<T>& p, int column, double sum) {
  p.mean[column] = static_cast<float>(sum / static_cast<double>(p.rows));
}

// Biased variance from the sum of squares about the mean, and the running statistics, which use the unbiased one.
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

  template <int N>
  __device__ void run(int, int64_t begin, int64_t end, int c) const {
    const Vec<N> mean = load<N>(p.mean + c), rstd = load<N>(p.rstd + c), gamma = load<N>(p.gamma + c),
                 beta = load<N>(p.beta + c);
    for (int64_t row = begin; row < end; ++row) {
      Vec<N> z = load<N>(p.x + row * p.cols + c);
      for (int j = 0; j < N; ++j) {
        z.at[j] = fmaf((z.at[j] - mean.at[j]) * rstd.at[j], gamma.at[j], beta.at[j]);
        if (p.gelu) z.at[j] = gelu_of<T>(z.at[j]);
      }
      store(p.y + row * p.cols + c, z);
    }
  }
};

// Normalizes x into y by the statistics in p.
template <class T>
void normalise(const BatchNormForwardOf<T>& p) {
  const bool runs = aligned(p.x, p.y) && aligned(p.mean, p.rstd, p.gamma, p.beta);
  launch_vectorized_columns<kVecSize<T>>(1, p.rows, p.cols, runs, Normalise<T>{p});
}

}  // namespace morphmlp::cuda
