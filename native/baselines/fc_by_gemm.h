// The FC ops by the GEMM of another library, on either device. The morph FCs gather the rows before the GEMM and
// scatter them after it, as a framework would. The including file defines the namespace MORPHMLP_FC_BY_GEMM, one per
// device, and the two functions below.
#pragma once
#include "morphmlp_each.h"

namespace morphmlp::MORPHMLP_FC_BY_GEMM {

// c[m, n] = op(a) op(b), row-major and dense; op transposes a if ta, b if tb.
int32_t gemm(const morphmlp_call* call, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a,
             const float* b, float* c);

// dbias[n] = column sums of dy[rows, n].
int32_t sum_rows(const morphmlp_call* call, int64_t rows, int64_t n, const float* dy, float* dbias);

// The naive kernels define the index formulas.
#undef MORPHMLP_KERNEL
#define MORPHMLP_KERNEL(op, name, workspace, forward, backward) \
  [[maybe_unused]] static const morphmlp_kernel unused = {      \
      MORPHMLP_KERNEL_ABI, MORPHMLP_HERE, op, name, MORPHMLP_FLAGS, workspace, forward, backward, 0, nullptr, 0};
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
  return morphmlp_first({gemm(call, false, true, rows, n, k, x, morphmlp_in(call, "weight"), y),
                         morphmlp_each_if(bias, call, rows * n, AddBias{n, bias, y})});
}

inline int32_t fc_backward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, const float* x,
                           const float* dy, float* dx) {
  float *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  const float* weight = morphmlp_in(call, "weight");
  return morphmlp_first({dx ? gemm(call, false, false, rows, k, n, dy, weight, dx) : MORPHMLP_OK,
                         dweight ? gemm(call, true, false, n, k, rows, dy, x, dweight) : MORPHMLP_OK,
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

// Rows of a morph FC. `offset` is the index of element k of row r in the token tensor, or -1 for padding; elements are
// contiguous in groups of group_channels.
struct MorphRows {
  morph_fc::Layout at;
  explicit MorphRows(const morphmlp_call* call) : at(morph_fc::layout_of(call)) {}
  MORPHMLP_DEVICE int64_t rows() const { return at.frames * at.chunks() * at.chunk; }
  MORPHMLP_DEVICE int64_t width() const { return at.channels; }
  MORPHMLP_DEVICE int64_t group_channels() const { return at.group_channels(); }
  MORPHMLP_DEVICE int64_t offset(int64_t r, int64_t k) const {
    return at.offset(r / (at.chunks() * at.chunk), r / at.chunk % at.chunks(), r % at.chunk, k);
  }
};

struct TemporalRows {
  temporal_fc::Layout at;
  explicit TemporalRows(const morphmlp_call* call) : at(temporal_fc::layout_of(call)) {}
  MORPHMLP_DEVICE int64_t rows() const { return at.clips * at.positions * at.groups; }
  MORPHMLP_DEVICE int64_t width() const { return at.row(); }
  MORPHMLP_DEVICE int64_t group_channels() const { return at.group_channels(); }
  MORPHMLP_DEVICE int64_t offset(int64_t r, int64_t k) const {
    return at.offset(r / (at.positions * at.groups), r / at.groups % at.positions, r % at.groups, k);
  }
};

// Gathers group i, group_channels contiguous elements of a row.
template <class Rows>
struct Gather {
  Rows from;
  const float* tokens;
  float* rows;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t n = from.group_channels(), groups = from.width() / n;
    const int64_t p = from.offset(i / groups, i % groups * n);
    for (int64_t s = 0; s < n; ++s) rows[i * n + s] = p < 0 ? 0.0f : tokens[p + s];
  }
};

template <class Rows>
struct Scatter {
  Rows to;
  const float* rows;
  float* tokens;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t n = to.group_channels(), groups = to.width() / n;
    const int64_t p = to.offset(i / groups, i % groups * n);
    for (int64_t s = 0; p >= 0 && s < n; ++s) tokens[p + s] = rows[i * n + s];
  }
};

// Gathered rows of x, of y or dy, and of dx.
template <class Rows>
size_t workspace(const morphmlp_call* call, int32_t backward) {
  const Rows rows(call);
  return static_cast<size_t>(rows.rows() * rows.width()) * sizeof(float) * (backward ? 3 : 2);
}

template <class Rows>
int32_t gathered_forward(const morphmlp_call* call) {
  const Rows rows(call);
  const int64_t n = rows.rows() * rows.width(), groups = n / rows.group_channels();
  float *x = static_cast<float*>(call->workspace), *y = x + n;
  return morphmlp_first({morphmlp_each(call, groups, Gather<Rows>{rows, morphmlp_in(call, "x"), x}),
                         fc_forward(call, rows.rows(), rows.width(), rows.width(), x, y),
                         morphmlp_each(call, groups, Scatter<Rows>{rows, y, morphmlp_out(call, "y")})});
}

template <class Rows>
int32_t gathered_backward(const morphmlp_call* call) {
  const Rows rows(call);
  const int64_t n = rows.rows() * rows.width(), groups = n / rows.group_channels();
  float *x = static_cast<float*>(call->workspace), *dy = x + n, *dx = morphmlp_out(call, "dx");
  return morphmlp_first({morphmlp_each(call, groups, Gather<Rows>{rows, morphmlp_in(call, "x"), x}),
                         morphmlp_each(call, groups, Gather<Rows>{rows, morphmlp_in(call, "dy"), dy}),
                         fc_backward(call, rows.rows(), rows.width(), rows.width(), x, dy, dx ? dy + n : nullptr),
                         morphmlp_each_if(dx, call, groups, Scatter<Rows>{rows, dy + n, dx})});
}

}  // namespace morphmlp::MORPHMLP_FC_BY_GEMM
