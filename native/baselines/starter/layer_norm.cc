// LayerNorm, a row at a time in vector registers. The backward computes the statistics of each row again, then dx by
// rows, and dgamma and dbeta by blocks of columns.
#include "morphmlp_layers.h"

struct Rows {
  morphmlp_values x;
  int64_t rows, cols;
  float eps;
};

static Rows rows_of(const morphmlp_call* call) {
  const morphmlp_tensor* x = morphmlp_input(call, "x");
  const auto eps = static_cast<float>(morphmlp_attribute_of(call, "eps"));
  return {morphmlp_values_of(x), x->shape[0], x->shape[1], eps};
}

// Mean and reciprocal standard deviation of row r. `row` holds it in f32.
MORPHMLP_DEVICE inline void statistics(const float* row, int64_t cols, float eps, float* mean, float* rstd) {
  const float m = morphmlp_sum(cols, [=](int64_t j) { return row[j]; }) / static_cast<float>(cols);
  const float variance = morphmlp_sum(cols, [=](int64_t j) { return (row[j] - m) * (row[j] - m); });
  *mean = m;
  *rstd = 1 / sqrtf(variance / static_cast<float>(cols) + eps);
}

// Statistics and dy in f32, for the backward; and x in f32 if it is bf16.
struct Memory {
  float *mean, *rstd, *x, *dy;
  size_t bytes;
};

static Memory memory_of(const Rows& at, void* workspace, bool backward) {
  morphmlp_arena arena = {static_cast<float*>(workspace), 0};
  const int64_t copied = at.x.dtype == MORPHMLP_F32 ? 0 : at.rows * at.cols;
  Memory m;
  m.mean = arena.take(backward ? at.rows : 0);
  m.rstd = arena.take(backward ? at.rows : 0);
  m.x = arena.take(copied);
  m.dy = arena.take(backward ? copied : 0);
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static size_t workspace(const morphmlp_call* call, int32_t backward) {
  return memory_of(rows_of(call), nullptr, backward != 0).bytes;
}

// The tensor itself if it is f32, else its copy.
static const float* widened(const morphmlp_call* call, const morphmlp_values& from, int64_t count, float* copy) {
  if (from.dtype == MORPHMLP_F32) return static_cast<const float*>(from.data);
  morphmlp_each(call, count, morphmlp_widen{from, copy});
  return copy;
}

struct Forward {
  const float* x;
  int64_t cols;
  float eps;
  const float *gamma, *beta;
  morphmlp_values y;

  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float* row = x + r * cols;
    float mean, rstd;
    statistics(row, cols, eps, &mean, &rstd);
    for (int64_t j = 0; j < cols; ++j) y.set(r * cols + j, (row[j] - mean) * rstd * gamma[j] + beta[j]);
  }
};

struct Statistics {
  const float* x;
  int64_t cols;
  float eps;
  float *mean, *rstd;
  MORPHMLP_DEVICE void operator()(int64_t r) const { statistics(x + r * cols, cols, eps, mean + r, rstd + r); }
};

static int32_t forward(const morphmlp_call* call) {
  const Rows at = rows_of(call);
  const Memory m = memory_of(at, call->workspace, false);
  const float* x = widened(call, at.x, at.rows * at.cols, m.x);
  const morphmlp_values y = morphmlp_values_of(morphmlp_output(call, "y"));
  return morphmlp_rows(call, at.rows,
                       Forward{x, at.cols, at.eps, morphmlp_in(call, "gamma"), morphmlp_in(call, "beta"), y});
}

static int32_t backward(const morphmlp_call* call) {
  const Rows at = rows_of(call);
  const Memory m = memory_of(at, call->workspace, true);
  const int64_t count = at.rows * at.cols;
  float* copy = m.x;
  const morphmlp_values x = {const_cast<float*>(widened(call, at.x, count, copy)), MORPHMLP_F32};
  const float* dy = widened(call, morphmlp_values_of(morphmlp_input(call, "dy")), count, m.dy);
  const morphmlp_values none = {nullptr, MORPHMLP_F32}, dx = morphmlp_values_of(morphmlp_output(call, "dx"));
  float *dgamma = morphmlp_out(call, "dgamma"), *dbeta = morphmlp_out(call, "dbeta");
  const morphmlp_norm_parameters parameters = {x, at.rows, at.cols, m.mean, m.rstd, dy, dgamma, dbeta};
  const morphmlp_norm_backward_row rows = {x, none, dx, at.cols, morphmlp_in(call, "gamma"), m.mean, m.rstd, dy};
  return morphmlp_first(
      {morphmlp_rows(call, at.rows, Statistics{static_cast<const float*>(x.data), at.cols, at.eps, m.mean, m.rstd}),
       dgamma || dbeta ? morphmlp_rows(call, (at.cols + 15) / 16, parameters) : MORPHMLP_OK,
       dx.data ? morphmlp_rows(call, at.rows, rows) : MORPHMLP_OK});
}

MORPHMLP_BF16_KERNEL("layer_norm", "starter", workspace, forward, backward)
