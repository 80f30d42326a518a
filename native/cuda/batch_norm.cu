#include "cuda/batch_norm.h"

#include "cuda/column_sums.h"

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

// From the differences to the mean, so that a large mean costs no digits.
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

template <class T>
__device__ float xhat_of(const BatchNormBackwardOf<T>& p, int64_t i, int64_t c) {
  return (load(p.x + i) - p.mean[c]) * p.rstd[c];
}

// dz = dy, or dy * gelu'(z), at one element.
template <class T>
__device__ float gradient_of(const BatchNormBackwardOf<T>& p, int64_t i, int64_t c, float xhat) {
  const float dy = load(p.dy + i);
  return p.gelu ? dy * gelu_slope_of<T>(fmaf(xhat, p.gamma[c], p.beta[c])) : dy;
}

// dbeta = the sum of dz, dgamma that of dz * xhat. In training the xhat of a channel sum to zero but for the rounding
// of the mean, which over many rows would weigh as much as dgamma itself: what they sum to corrects it.
template <class T>
struct Parameters {
  static constexpr int kSums = 3;
  BatchNormBackwardOf<T> p;

  __device__ void add(int, int64_t row, int column, float (&sum)[3]) const {
    const int64_t i = row * p.cols + column;
    const float xhat = xhat_of(p, i, column), dz = gradient_of(p, i, column, xhat);
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

// dx = gamma * rstd * (dz - mean(dz) - xhat * mean(dz * xhat)); by fixed statistics the two means do not appear.
template <class T>
struct Input {
  BatchNormBackwardOf<T> p;
  float share;

  __device__ void operator()(int64_t i) const {
    const int64_t c = i % p.cols;
    const float xhat = xhat_of(p, i, c), dz = gradient_of(p, i, c, xhat);
    store(p.dx + i, p.gamma[c] * p.rstd[c] * (dz - share * p.dbeta[c] - share * p.dgamma[c] * xhat));
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
  launch_each(p.rows * p.cols, Normalise<T>{p});
}
FOR_FLOATS(batch_norm_forward, BatchNormForward)

template <class T>
void batch_norm_backward(const BatchNormBackwardOf<T>& p) {
  column_sums(1, p.rows, p.cols, Parameters<T>{p});
  launch_each(p.rows * p.cols, Input<T>{p, p.training ? 1.0f / static_cast<float>(p.rows) : 0.0f});
}
FOR_FLOATS(batch_norm_backward, BatchNormBackward)

}  // namespace morphmlp::cuda
