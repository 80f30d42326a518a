// y = x weight^T + bias, one element at a time.
#include "morphmlp_each.h"

struct Shape {
  int64_t rows, n, k;
};

struct Forward {
  Shape at;
  const float *x, *weight, *bias;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t row = i / at.n, column = i % at.n;
    float sum = bias ? bias[column] : 0;
    for (int64_t k = 0; k < at.k; ++k) sum += x[row * at.k + k] * weight[column * at.k + k];
    y[i] = sum;
  }
};

// dx = dy weight
struct BackwardX {
  Shape at;
  const float *weight, *dy;
  float* dx;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t row = i / at.k, k = i % at.k;
    float sum = 0;
    for (int64_t n = 0; n < at.n; ++n) sum += dy[row * at.n + n] * weight[n * at.k + k];
    dx[i] = sum;
  }
};

// dweight = dy^T x, in double to bound the rounding error of the sum over rows.
struct BackwardWeight {
  Shape at;
  const float *x, *dy;
  float* dweight;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t n = i / at.k, k = i % at.k;
    double sum = 0;
    for (int64_t row = 0; row < at.rows; ++row) sum += dy[row * at.n + n] * x[row * at.k + k];
    dweight[i] = static_cast<float>(sum);
  }
};

struct BackwardBias {
  Shape at;
  const float* dy;
  float* dbias;

  MORPHMLP_DEVICE void operator()(int64_t n) const {
    double sum = 0;
    for (int64_t row = 0; row < at.rows; ++row) sum += dy[row * at.n + n];
    dbias[n] = static_cast<float>(sum);
  }
};

static Shape shape_of(const morphmlp_call* call) {
  const int64_t* weight = morphmlp_input(call, "weight")->shape;
  return {morphmlp_input(call, "x")->shape[0], weight[0], weight[1]};
}

static int32_t forward(const morphmlp_call* call) {
  const Shape at = shape_of(call);
  const float *x = morphmlp_in(call, "x"), *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  return morphmlp_each(call, at.rows * at.n, Forward{at, x, weight, bias, morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const Shape at = shape_of(call);
  const float *x = morphmlp_in(call, "x"), *weight = morphmlp_in(call, "weight"), *dy = morphmlp_in(call, "dy");
  float *dx = morphmlp_out(call, "dx"), *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  return morphmlp_first({morphmlp_each_if(dx, call, at.rows * at.k, BackwardX{at, weight, dy, dx}),
                         morphmlp_each_if(dweight, call, at.n * at.k, BackwardWeight{at, x, dy, dweight}),
                         morphmlp_each_if(dbias, call, at.n, BackwardBias{at, dy, dbias})});
}

MORPHMLP_KERNEL("linear", "naive", nullptr, forward, backward)
