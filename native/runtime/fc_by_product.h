// The FC ops by a matrix product out of another library, on either device: the permutations of the morph FCs are copies
// of whole runs before and after the product, as a framework would make them. Whoever includes this defines the two
// functions below, in the namespace morphmlp::MORPHMLP_BY_PRODUCT: each device has one of its own.
#pragma once
#include "morphmlp_each.h"

namespace morphmlp::MORPHMLP_BY_PRODUCT {

// c[m, n] = op(a) op(b), row-major and dense; op transposes where ta or tb says so.
int32_t product(const morphmlp_call* call, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a,
                const float* b, float* c);

// dbias[n] = the sum of dy[rows, n] over its rows
int32_t sum_rows(const morphmlp_call* call, int64_t rows, int64_t n, const float* dy, float* dbias);

// The index formulas are those of the naive kernels.
#undef MORPHMLP_KERNEL
#define MORPHMLP_KERNEL(op, name, workspace, forward, backward)                                              \
  [[maybe_unused]] static const morphmlp_kernel unused = {MORPHMLP_KERNEL_ABI, MORPHMLP_HERE, op,      name, \
                                                          MORPHMLP_FLAGS,      workspace,     forward, backward};
namespace morph_fc {
#include "baselines/naive/morph_fc.cc"
}
namespace temporal_fc {
#include "baselines/naive/temporal_fc.cc"
}

struct AddBias {
  int64_t n;
  const float* bias;
  float* y;
  MORPHMLP_DEVICE void operator()(int64_t i) const { y[i] += bias[i % n]; }
};

// y[rows, n] = x[rows, k] weight^T + bias
inline int32_t fc_forward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, const float* x, float* y) {
  const float* bias = morphmlp_in(call, "bias");
  return morphmlp_first({product(call, false, true, rows, n, k, x, morphmlp_in(call, "weight"), y),
                         morphmlp_each_if(bias, call, rows * n, AddBias{n, bias, y})});
}

inline int32_t fc_backward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, const float* x,
                           const float* dy, float* dx) {
  float *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  const float* weight = morphmlp_in(call, "weight");
  return morphmlp_first({dx ? product(call, false, false, rows, k, n, dy, weight, dx) : MORPHMLP_OK,
                         dweight ? product(call, true, false, n, k, rows, dy, x, dweight) : MORPHMLP_OK,
                         dbias ? sum_rows(call, rows, n, dy, dbias) : MORPHMLP_OK});
}

inline int32_t linear_forward(const morphmlp_call* call) {
  const int64_t* w = morphmlp_input(call, "weight")->shape;
  const int64_t rows = morphmlp_input(call, "x")->shape[0];
  return fc_forward(call, rows, w[0], w[1], morphmlp_in(call, "x"), morphmlp_out(call, "y"));
}

inline int32_t linear_backward(const morphmlp_call* call) {
  const int64_t* w = morphmlp_input(call, "weight")->shape;
  const int64_t rows = morphmlp_input(call, "x")->shape[0];
  return fc_backward(call, rows, w[0], w[1], morphmlp_in(call, "x"), morphmlp_in(call, "dy"), morphmlp_out(call, "dx"));
}

// The FC's rows of a morph FC, which are runs of S channels of one token: where a row's number lies in the tokens, or
// -1.
struct MorphRows {
  morph_fc::Morph at;
  explicit MorphRows(const morphmlp_call* call) : at(morph_fc::morph_of(call)) {}
  MORPHMLP_DEVICE int64_t rows() const { return at.frames * at.chunks() * at.chunk; }
  MORPHMLP_DEVICE int64_t width() const { return at.channels; }
  MORPHMLP_DEVICE int64_t run() const { return at.group(); }
  MORPHMLP_DEVICE int64_t place(int64_t r, int64_t k) const {
    return at.place(r / (at.chunks() * at.chunk), r / at.chunk % at.chunks(), r % at.chunk, k);
  }
};

struct TimeRows {
  temporal_fc::Time at;
  explicit TimeRows(const morphmlp_call* call) : at(temporal_fc::time_of(call)) {}
  MORPHMLP_DEVICE int64_t rows() const { return at.clips * at.positions * at.groups; }
  MORPHMLP_DEVICE int64_t width() const { return at.row(); }
  MORPHMLP_DEVICE int64_t run() const { return at.group(); }
  MORPHMLP_DEVICE int64_t place(int64_t r, int64_t k) const {
    return at.place(r / (at.positions * at.groups), r / at.groups % at.positions, r % at.groups, k);
  }
};

// Run i of all rows.
template <class Rows>
struct Gather {
  Rows from;
  const float* tokens;
  float* rows;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t run = from.run(), runs = from.width() / run;
    const int64_t p = from.place(i / runs, i % runs * run);
    for (int64_t s = 0; s < run; ++s) rows[i * run + s] = p < 0 ? 0.0f : tokens[p + s];
  }
};

template <class Rows>
struct Scatter {
  Rows to;
  const float* rows;
  float* tokens;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t run = to.run(), runs = to.width() / run;
    const int64_t p = to.place(i / runs, i % runs * run);
    for (int64_t s = 0; p >= 0 && s < run; ++s) tokens[p + s] = rows[i * run + s];
  }
};

// Three sets of rows: of x, of y or its gradient, and of x's gradient.
template <class Rows>
size_t workspace(const morphmlp_call* call, int32_t backward) {
  const Rows rows(call);
  return static_cast<size_t>(rows.rows() * rows.width()) * sizeof(float) * (backward ? 3 : 2);
}

template <class Rows>
int32_t permuted_forward(const morphmlp_call* call) {
  const Rows rows(call);
  const int64_t n = rows.rows() * rows.width(), runs = n / rows.run();
  float *x = static_cast<float*>(call->workspace), *y = x + n;
  return morphmlp_first({morphmlp_each(call, runs, Gather<Rows>{rows, morphmlp_in(call, "x"), x}),
                         fc_forward(call, rows.rows(), rows.width(), rows.width(), x, y),
                         morphmlp_each(call, runs, Scatter<Rows>{rows, y, morphmlp_out(call, "y")})});
}

template <class Rows>
int32_t permuted_backward(const morphmlp_call* call) {
  const Rows rows(call);
  const int64_t n = rows.rows() * rows.width(), runs = n / rows.run();
  float *x = static_cast<float*>(call->workspace), *dy = x + n, *dx = morphmlp_out(call, "dx");
  return morphmlp_first({morphmlp_each(call, runs, Gather<Rows>{rows, morphmlp_in(call, "x"), x}),
                         morphmlp_each(call, runs, Gather<Rows>{rows, morphmlp_in(call, "dy"), dy}),
                         fc_backward(call, rows.rows(), rows.width(), rows.width(), x, dy, dx ? dy + n : nullptr),
                         morphmlp_each_if(dx, call, runs, Scatter<Rows>{rows, dy + n, dx})});
}

}  // namespace morphmlp::MORPHMLP_BY_PRODUCT
