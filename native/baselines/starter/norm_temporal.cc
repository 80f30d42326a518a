// y = x + proj(u), u = temporal FC of LN(x): LayerNorm, the rows of the FC gathered, two matrix products and the
// residual. A row of the FC has T S elements, gathered from all time steps of a position and the S = C / G channels of
// a group. Gathering while the product packs its operand would save two passes over memory.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

struct Sizes {
  int64_t clips, steps, positions, cols, groups;
  MORPHMLP_DEVICE int64_t run() const { return cols / groups; }  // S
  MORPHMLP_DEVICE int64_t width() const { return steps * run(); }
  MORPHMLP_DEVICE int64_t rows() const { return clips * steps * positions; }
  MORPHMLP_DEVICE int64_t fc_rows() const { return clips * positions * groups; }
  // Index among the tokens of element 0 of step t of FC row r.
  MORPHMLP_DEVICE int64_t offset(int64_t r, int64_t t) const {
    const int64_t g = r % groups, position = r / groups % positions, clip = r / groups / positions;
    return ((clip * steps + t) * positions + position) * cols + g * run();
  }
};

static Sizes sizes_of(const morphmlp_call* call) {
  const int64_t* x = morphmlp_input(call, "x")->shape;
  return {x[0], x[1], x[2], x[3], static_cast<int64_t>(morphmlp_attribute_of(call, "groups"))};
}

struct Memory {
  float *normed, *mean, *rstd, *gathered, *fc, *u, *du, *dfc;
  size_t bytes;
};

static Memory memory_of(const Sizes& at, void* workspace, bool backward) {
  morphmlp_arena arena = {static_cast<float*>(workspace), 0};
  const int64_t n = at.rows() * at.cols;
  Memory m;
  m.normed = arena.take(n);
  m.mean = arena.take(at.rows());
  m.rstd = arena.take(at.rows());
  m.gathered = arena.take(n);
  m.fc = arena.take(n);
  m.u = arena.take(n);
  m.du = arena.take(backward ? n : 0);
  m.dfc = arena.take(backward ? n : 0);
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static size_t workspace(const morphmlp_call* call, int32_t backward) {
  return memory_of(sizes_of(call), nullptr, backward != 0).bytes;
}

struct Gather {
  Sizes at;
  const float* tokens;
  float* rows;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t t = 0; t < at.steps; ++t)
      for (int64_t s = 0; s < at.run(); ++s) rows[r * at.width() + t * at.run() + s] = tokens[at.offset(r, t) + s];
  }
};

// tokens = rows + bias, at the places that the rows came from; bias may be nullptr
struct Scatter {
  Sizes at;
  const float *rows, *bias;
  float* tokens;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t t = 0; t < at.steps; ++t)
      for (int64_t s = 0; s < at.run(); ++s) {
        const int64_t k = t * at.run() + s;
        tokens[at.offset(r, t) + s] = rows[r * at.width() + k] + (bias ? bias[k] : 0);
      }
  }
};

// y = x + out + bias
struct Residual {
  Sizes at;
  morphmlp_values x, y;
  const float *out, *bias;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t j = 0; j < at.cols; ++j)
      y.set(r * at.cols + j, x.get(r * at.cols + j) + out[r * at.cols + j] + bias[j]);
  }
};

// The gathered rows of LN(x), and u.
static int32_t temporal_fc(const morphmlp_call* call, const Sizes& at, const Memory& m) {
  const auto in = [call](const char* name) { return morphmlp_in(call, name); };
  const auto eps = static_cast<float>(morphmlp_attribute_of(call, "eps"));
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x"));
  return morphmlp_first(
      {morphmlp_rows(call, at.rows(),
                     morphmlp_norm_row{x, at.cols, eps, in("gamma"), in("beta"), m.normed, m.mean, m.rstd}),
       morphmlp_rows(call, at.fc_rows(), Gather{at, m.normed, m.gathered}),
       morphmlp_gemm(call, false, true, at.fc_rows(), at.width(), at.width(), m.gathered, in("weight"), m.fc),
       morphmlp_rows(call, at.fc_rows(), Scatter{at, m.fc, in("bias"), m.u})});
}

static int32_t forward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(at, call->workspace, false);
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        y = morphmlp_values_of(morphmlp_output(call, "y"));
  float* out = m.normed;
  return morphmlp_first(
      {temporal_fc(call, at, m),
       morphmlp_gemm(call, false, true, at.rows(), at.cols, at.cols, m.u, morphmlp_in(call, "proj"), out),
       morphmlp_rows(call, at.rows(), Residual{at, x, y, out, morphmlp_in(call, "proj_bias")})});
}

static int32_t backward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(at, call->workspace, true);
  const auto in = [call](const char* name) { return morphmlp_in(call, name); };
  const auto out = [call](const char* name) { return morphmlp_out(call, name); };
  const auto gemm = [call](bool ta, int64_t rows, int64_t n, int64_t k, const float* a, const float* b, float* c) {
    return c ? morphmlp_gemm(call, ta, false, rows, n, k, a, b, c) : static_cast<int32_t>(MORPHMLP_OK);
  };
  const auto sums = [call](int64_t rows, int64_t n, const float* values, float* to) {
    return to ? morphmlp_sum_rows(call, rows, n, values, to) : static_cast<int32_t>(MORPHMLP_OK);
  };
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        dy = morphmlp_values_of(morphmlp_input(call, "dy"));
  const morphmlp_values dx = morphmlp_values_of(morphmlp_output(call, "dx"));
  float *wide = m.fc, *dnormed = m.du;
  int32_t status =
      morphmlp_first({temporal_fc(call, at, m), morphmlp_each(call, at.rows() * at.cols, morphmlp_widen{dy, wide}),
                      gemm(true, at.cols, at.cols, at.rows(), wide, m.u, out("dproj")),
                      sums(at.rows(), at.cols, wide, out("dproj_bias")),
                      gemm(false, at.rows(), at.cols, at.cols, wide, in("proj"), m.du),
                      morphmlp_rows(call, at.fc_rows(), Gather{at, m.du, m.dfc}),
                      gemm(true, at.width(), at.width(), at.fc_rows(), m.dfc, m.gathered, out("dweight")),
                      sums(at.fc_rows(), at.width(), m.dfc, out("dbias")),
                      gemm(false, at.fc_rows(), at.width(), at.width(), m.dfc, in("weight"), m.fc),
                      morphmlp_rows(call, at.fc_rows(), Scatter{at, m.fc, nullptr, dnormed})});
  const morphmlp_norm_parameters parameters = {x,      at.rows(), at.cols,       m.mean,
                                               m.rstd, dnormed,   out("dgamma"), out("dbeta")};
  const morphmlp_norm_backward_row rows = {x, dy, dx, at.cols, in("gamma"), m.mean, m.rstd, dnormed};
  if (status == MORPHMLP_OK) status = morphmlp_rows(call, (at.cols + 15) / 16, parameters);
  return status == MORPHMLP_OK && dx.data ? morphmlp_rows(call, at.rows(), rows) : status;
}

MORPHMLP_TUNED_KERNEL("norm_temporal", "starter", workspace, forward, backward)
