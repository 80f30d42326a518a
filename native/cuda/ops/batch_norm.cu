#include "cuda/ops/batch_norm.h"

#include "cuda/epilogue/column_sums.h"

namespace morphmlp::cuda {
namespace {

template <class T>
struct Mean {
  static constexpr int kSums = 1;
  BatchNormForwardOf<T> p;

  __device__ void add(int, int64_t row, int column, float (&sum)[1]) const {
    sum[0] += load(p.x + row * p.cols + column);
  }
  __device__ void finish(int, int column, const double (&sum)[1]) const { finish_mean(p, column, sum[0]); }
};

// Squares are taken of differences from the mean, so that a large mean costs no digits.
template <class T>
struct Variance {
  static constexpr int kSums = 1;
  BatchNormForwardOf<T> p;

  __device__ void add(int, int64_t row, int column, float (&sum)[1]) const {
    const float d = load(p.x + row * p.cols + column) - p.mean[column];
    sum[0] = fmaf(d, d, sum[0]);
  }
  __device__ void finish(int, int column, const double (&sum)[1]) const { finish_variance(p, column, sum[0]); }
};

// dz = dy, or dy * gelu'(z), for one element of a channel.
template <class T>
__device__ float gradient_of(const BatchNormBackwardOf<T>& p, float dy, float xhat, float gamma, float beta) {
  return p.gelu ? dy * gelu_slope_of<T>(fmaf(xhat, gamma, beta)) : dy;
}

// dbeta is the sum of dz, dgamma that of dz * xhat. In training, the xhat of a channel sum to zero up to the rounding
// of the mean, which over many rows would weigh as much as dgamma; their sum corrects it.
template <class T>
struct Parameters {
  static constexpr int kSums = 3;
  BatchNormBackwardOf<T> p;

  __device__ void add(int, int64_t row, int column, float (&sum)[3]) const {
    const int64_t i = row * p.cols + column;
    const float xhat = (load(p.x + i) - p.mean[column]) * p.rstd[column];
    const float dz = gradient_of(p, load(p.dy + i), xhat, p.gamma[column], p.beta[column]);
    sum[0] = fmaf(dz, xhat, sum[0]);
    sum[1] += dz;
    sum[2] += xhat;
  }
  __device__ void finish(int, int column, const double (&sum)[3]) const {
    const double excess = p.training ? sum[2] : 0;
    p.dgamma[column] = static_cast<float>(sum[0] - excess / static_cast<double>(p.rows) * sum[1]);
    p.dbeta[column] = static_cast<float>(sum[1]);
  }
};

// dx = gamma * rstd * (dz - mean(dz) - xhat * mean(dz * xhat)); with fixed statistics both means drop out.
template <class T>
struct Input {
  BatchNormBackwardOf<T> p;
  float share;

  template <int N>
  __device__ void run(int, int64_t begin, int64_t end, int c) const {
    const Vec<N> mean = load<N>(p.mean + c), rstd = load<N>(p.rstd + c), gamma = load<N>(p.gamma + c),
                 beta = load<N>(p.beta + c), dgamma = load<N>(p.dgamma + c), dbeta = load<N>(p.dbeta + c);
    for (int64_t row = begin; row < end; ++row) {
      const Vec<N> x = load<N>(p.x + row * p.cols + c);
      Vec<N> d = load<N>(p.dy + row * p.cols + c);
      for (int j = 0; j < N; ++j) {
        const float xhat = (x.at[j] - mean.at[j]) * rstd.at[j];
        const float dz = gradient_of(p, d.at[j], xhat, gamma.at[j], beta.at[j]);
        d.at[j] = gamma.at[j] * rstd.at[j] * (dz - share * dbeta.at[j] - share * dgamma.at[j] * xhat);
      }
      store(p.dx + row * p.cols + c, d);
    }
  }
};

}  // namespace

template <class T>
void batch_norm_forward(const BatchNormForwardOf<T>& p) {
  if (p.training) {
    column_sums(1, p.rows, p.cols, Mean<T>{p});
    column_sums(1, p.rows, p.cols, Variance<T>{p});
  } else {
    launch_each(p.cols, FixedStatistics<T>{p});
  }
  normalise(p);
}
FOR_FLOATS(batch_norm_forward, BatchNormForward)

template <class T>
void batch_norm_backward(const BatchNormBackwardOf<T>& p) {
  column_sums(1, p.rows, p.cols, Parameters<T>{p});
  const bool runs = aligned(p.x, p.dy, p.dx) && aligned(p.mean, p.rstd, p.gamma, p.beta, p.dgamma, p.dbeta);
  const float share = p.training ? 1.0f / static_cast<float>(p.rows) : 0.0f;
  launch_vectorized_columns<kVecSize<T>>(1, p.rows, p.cols, runs, Input<T>{p, share});
}
FOR_FLOATS(batch_norm_backward, BatchNormBackward)

}  // namespace morphmlp::cuda
