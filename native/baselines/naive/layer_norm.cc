// LayerNorm, one row at a time. The backward computes the statistics of each row into the workspace, then dx by rows
// and dgamma and dbeta by columns.
#include <math.h>

#include "morphmlp_each.h"

struct Rows {
  const float* x;
  int64_t rows, cols;
  float eps;

  MORPHMLP_DEVICE float mean(int64_t row) const {
    float sum = 0;
    for (int64_t i = 0; i < cols; ++i) sum += x[row * cols + i];
    return sum / cols;
  }

  MORPHMLP_DEVICE float rstd(int64_t row, float mean) const {
    float sum = 0;
    for (int64_t i = 0; i < cols; ++i) sum += (x[row * cols + i] - mean) * (x[row * cols + i] - mean);
    return 1 / sqrtf(sum / cols + eps);
  }
};

struct Forward {
  Rows in;
  const float *gamma, *beta;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t row) const {
    const float mean = in.mean(row), rstd = in.rstd(row, mean);
    for (int64_t i = row * in.cols; i < (row + 1) * in.cols; ++i)
      y[i] = (in.x[i] - mean) * rstd * gamma[i - row * in.cols] + beta[i - row * in.cols];
  }
};

struct Statistics {
  Rows in;
  float *mean, *rstd;

  MORPHMLP_DEVICE void operator()(int64_t row) const {
    mean[row] = in.mean(row);
    rstd[row] = in.rstd(row, mean[row]);
  }
};

// dx = rstd (g - mean(g) - n mean(g n)) with g = dy gamma and n = (x - mean) rstd.
struct BackwardX {
  Rows in;
  const float *mean, *rstd, *gamma, *dy;
  float* dx;

  MORPHMLP_DEVICE float normalised(int64_t row, int64_t i) const { return (in.x[i] - mean[row]) * rstd[row]; }

  MORPHMLP_DEVICE void operator()(int64_t row) const {
    const int64_t first = row * in.cols, end = first + in.cols;
    float sum = 0, dot = 0;
    for (int64_t i = first; i < end; ++i) {
      sum += dy[i] * gamma[i - first];
      dot += dy[i] * gamma[i - first] * normalised(row, i);
    }
    for (int64_t i = first; i < end; ++i)
      dx[i] = rstd[row] * (dy[i] * gamma[i - first] - (sum + normalised(row, i) * dot) / in.cols);
  }
};

// Sums over all rows, in double to bound the rounding error.
struct BackwardParameters {
  Rows in;
  const float *mean, *rstd, *dy;
  float *dgamma, *dbeta;

  MORPHMLP_DEVICE void operator()(int64_t column) const {
    double gamma = 0, beta = 0;
    for (int64_t row = 0; row < in.rows; ++row) {
      const int64_t i = row * in.cols + column;
      gamma += dy[i] * (in.x[i] - mean[row]) * rstd[row];
      beta += dy[i];
    }
    if (dgamma) dgamma[column] = static_cast<float>(gamma);
    if (dbeta) dbeta[column] = static_cast<float>(beta);
  }
};

static Rows rows_of(const morphmlp_call* call) {
  const int64_t* shape = morphmlp_input(call, "x")->shape;
  const float eps = static_cast<float>(morphmlp_attribute_of(call, "eps"));
  return {morphmlp_in(call, "x"), shape[0], shape[1], eps};
}

static size_t workspace(const morphmlp_call* call, int32_t backward) {
  return backward ? static_cast<size_t>(rows_of(call).rows) * 2 * sizeof(float) : 0;
}

static int32_t forward(const morphmlp_call* call) {
  const Rows in = rows_of(call);
  const float *gamma = morphmlp_in(call, "gamma"), *beta = morphmlp_in(call, "beta");
  return morphmlp_each(call, in.rows, Forward{in, gamma, beta, morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const Rows in = rows_of(call);
  float *mean = static_cast<float*>(call->workspace), *rstd = mean + in.rows;
  const float *gamma = morphmlp_in(call, "gamma"), *dy = morphmlp_in(call, "dy");
  float *dx = morphmlp_out(call, "dx"), *dgamma = morphmlp_out(call, "dgamma"), *dbeta = morphmlp_out(call, "dbeta");
  return morphmlp_first({morphmlp_each(call, in.rows, Statistics{in, mean, rstd}),
                         morphmlp_each_if(dx, call, in.rows, BackwardX{in, mean, rstd, gamma, dy, dx}),
                         morphmlp_each(call, in.cols, BackwardParameters{in, mean, rstd, dy, dgamma, dbeta})});
}

MORPHMLP_KERNEL("layer_norm", "naive", workspace, forward, backward)
