// y = x + scale * (gelu(LN(x) w1^T + b1) w2^T + b2): LayerNorm, two matrix products and the residual, each over all
// rows. Fusing them by blocks of rows that stay in the cache is what makes it faster. The backward computes the hidden
// rows again.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

struct Sizes {
  int64_t clips, rows, cols, hidden;
  MORPHMLP_DEVICE int64_t clip_rows() const { return clips ? rows / clips : 0; }
};

static Sizes sizes_of(const morphmlp_call* call) {
  const int64_t* x = morphmlp_input(call, "x")->shape;
  return {x[0], x[0] * x[1], x[2], morphmlp_input(call, "b1")->shape[0]};
}

// Intermediate rows in the workspace.
struct Memory {
  float *normed, *mean, *rstd, *z, *hidden, *out, *dhidden;
  size_t bytes;
};

static Memory memory_of(const Sizes& at, void* workspace, bool backward) {
  morphmlp_arena arena = {static_cast<float*>(workspace), 0};
  Memory m;
  m.normed = arena.take(at.rows * at.cols);
  m.mean = arena.take(at.rows);
  m.rstd = arena.take(at.rows);
  m.z = arena.take(at.rows * at.hidden);
  m.hidden = arena.take(at.rows * at.hidden);
  m.out = arena.take(at.rows * at.cols);
  m.dhidden = arena.take(backward ? at.rows * at.hidden : 0);
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static size_t workspace(const morphmlp_call* call, int32_t backward) {
  return memory_of(sizes_of(call), nullptr, backward != 0).bytes;
}

// y = x + scale (out + bias)
struct Residual {
  Sizes at;
  morphmlp_values x, y;
  const float *scale, *out, *bias;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float s = scale ? scale[r / at.clip_rows()] : 1;
    for (int64_t j = 0; j < at.cols; ++j)
      y.set(r * at.cols + j, x.get(r * at.cols + j) + s * (out[r * at.cols + j] + bias[j]));
  }
};

// dout = scale dy
struct Scaled {
  Sizes at;
  morphmlp_values dy;
  const float* scale;
  float* dout;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float s = scale ? scale[r / at.clip_rows()] : 1;
    for (int64_t j = 0; j < at.cols; ++j) dout[r * at.cols + j] = s * dy.get(r * at.cols + j);
  }
};

// LN(x), z and gelu(z)
static int32_t hidden_rows(const morphmlp_call* call, const Sizes& at, const Memory& m) {
  const auto in = [call](const char* name) { return morphmlp_in(call, name); };
  const auto eps = static_cast<float>(morphmlp_attribute_of(call, "eps"));
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x"));
  return morphmlp_first(
      {morphmlp_rows(call, at.rows,
                     morphmlp_norm_row{x, at.cols, eps, in("gamma"), in("beta"), m.normed, m.mean, m.rstd}),
       morphmlp_gemm(call, false, true, at.rows, at.hidden, at.cols, m.normed, in("w1"), m.z),
       morphmlp_rows(call, at.rows, morphmlp_gelu_row{at.hidden, in("b1"), m.z, m.hidden})});
}

static int32_t forward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(at, call->workspace, false);
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        y = morphmlp_values_of(morphmlp_output(call, "y"));
  const float* bias = morphmlp_in(call, "b2");
  return morphmlp_first(
      {hidden_rows(call, at, m),
       morphmlp_gemm(call, false, true, at.rows, at.cols, at.hidden, m.hidden, morphmlp_in(call, "w2"), m.out),
       morphmlp_rows(call, at.rows, Residual{at, x, y, morphmlp_in(call, "scale"), m.out, bias})});
}

static int32_t backward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(at, call->workspace, true);
  const auto in = [call](const char* name) { return morphmlp_in(call, name); };
  const auto out = [call](const char* name) { return morphmlp_out(call, name); };
  const auto gemm = [call](bool ta, bool tb, int64_t rows, int64_t n, int64_t k, const float* a, const float* b,
                           float* c) {
    return c ? morphmlp_gemm(call, ta, tb, rows, n, k, a, b, c) : static_cast<int32_t>(MORPHMLP_OK);
  };
  const auto sums = [call, &at](int64_t n, const float* values, float* to) {
    return to ? morphmlp_sum_rows(call, at.rows, n, values, to) : static_cast<int32_t>(MORPHMLP_OK);
  };
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        dy = morphmlp_values_of(morphmlp_input(call, "dy"));
  const morphmlp_values dx = morphmlp_values_of(morphmlp_output(call, "dx"));
  float *dout = m.out, *dz = m.dhidden;
  int32_t status = morphmlp_first(
      {hidden_rows(call, at, m), morphmlp_rows(call, at.rows, Scaled{at, dy, in("scale"), dout}),
       gemm(true, false, at.cols, at.hidden, at.rows, dout, m.hidden, out("dw2")), sums(at.cols, dout, out("db2")),
       gemm(false, false, at.rows, at.hidden, at.cols, dout, in("w2"), m.dhidden),
       morphmlp_rows(call, at.rows, morphmlp_gelu_backward_row{at.hidden, m.z, m.dhidden, dz}),
       gemm(true, false, at.hidden, at.cols, at.rows, dz, m.normed, out("dw1")), sums(at.hidden, dz, out("db1")),
       gemm(false, false, at.rows, at.cols, at.hidden, dz, in("w1"), m.out)});
  const float* dnormed = m.out;
  const morphmlp_norm_parameters parameters = {x,      at.rows, at.cols,       m.mean,
                                               m.rstd, dnormed, out("dgamma"), out("dbeta")};
  const morphmlp_norm_backward_row rows = {x, dy, dx, at.cols, in("gamma"), m.mean, m.rstd, dnormed};
  if (status == MORPHMLP_OK) status = morphmlp_rows(call, (at.cols + 15) / 16, parameters);
  return status == MORPHMLP_OK && dx.data ? morphmlp_rows(call, at.rows, rows) : status;
}

MORPHMLP_TUNED_KERNEL("norm_mlp", "starter", workspace, forward, backward)
