// MorphFC along time (paper section 3.3), one element at a time. An FC row has T S elements, gathered from all time
// steps of a position and the S = C / G channels of a group.
#include "morphmlp_each.h"

struct Layout {
  int64_t clips, steps, positions, channels, groups;

  MORPHMLP_DEVICE int64_t group_channels() const { return channels / groups; }  // S
  MORPHMLP_DEVICE int64_t row() const { return steps * group_channels(); }

  // Index in x of element k = t S + s of row (clip, position, g).
  MORPHMLP_DEVICE int64_t offset(int64_t clip, int64_t position, int64_t g, int64_t k) const {
    const int64_t t = k / group_channels(), c = g * group_channels() + k % group_channels();
    return ((clip * steps + t) * positions + position) * channels + c;
  }
};

// The row (clip, position, g) and index k of element i of x.
struct Row {
  int64_t clip, position, g, k;

  MORPHMLP_DEVICE Row(const Layout& at, int64_t i) {
    const int64_t c = i % at.channels, t = i / (at.channels * at.positions) % at.steps;
    clip = i / (at.channels * at.positions * at.steps);
    position = i / at.channels % at.positions;
    g = c / at.group_channels();
    k = t * at.group_channels() + c % at.group_channels();
  }
};

struct Forward {
  Layout at;
  const float *x, *weight, *bias;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = bias ? bias[row.k] : 0;
    for (int64_t k = 0; k < at.row(); ++k)
      sum += x[at.offset(row.clip, row.position, row.g, k)] * weight[row.k * at.row() + k];
    y[i] = sum;
  }
};

struct BackwardX {
  Layout at;
  const float *weight, *dy;
  float* dx;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = 0;
    for (int64_t n = 0; n < at.row(); ++n)
      sum += dy[at.offset(row.clip, row.position, row.g, n)] * weight[n * at.row() + row.k];
    dx[i] = sum;
  }
};

// dweight[n, k], or dbias[n] if k is -1: sums over all rows, in double to bound the rounding error.
struct BackwardWeight {
  Layout at;
  const float *x, *dy;

  MORPHMLP_DEVICE float sum(int64_t n, int64_t k) const {
    double total = 0;
    for (int64_t clip = 0; clip < at.clips; ++clip)
      for (int64_t position = 0; position < at.positions; ++position)
        for (int64_t g = 0; g < at.groups; ++g)
          total += dy[at.offset(clip, position, g, n)] * (k < 0 ? 1 : x[at.offset(clip, position, g, k)]);
    return static_cast<float>(total);
  }
};

struct StoreWeight {
  BackwardWeight grad;
  float* dweight;
  MORPHMLP_DEVICE void operator()(int64_t i) const { dweight[i] = grad.sum(i / grad.at.row(), i % grad.at.row()); }
};

struct StoreBias {
  BackwardWeight grad;
  float* dbias;
  MORPHMLP_DEVICE void operator()(int64_t n) const { dbias[n] = grad.sum(n, -1); }
};

static Layout layout_of(const morphmlp_call* call) {
  const int64_t* shape = morphmlp_input(call, "x")->shape;
  return {shape[0], shape[1], shape[2], shape[3], static_cast<int64_t>(morphmlp_attribute_of(call, "groups"))};
}

static int64_t element_count(const Layout& at) { return at.clips * at.steps * at.positions * at.channels; }

static int32_t forward(const morphmlp_call* call) {
  const Layout at = layout_of(call);
  const float *x = morphmlp_in(call, "x"), *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  return morphmlp_each(call, element_count(at), Forward{at, x, weight, bias, morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const Layout at = layout_of(call);
  const float *weight = morphmlp_in(call, "weight"), *dy = morphmlp_in(call, "dy");
  float *dx = morphmlp_out(call, "dx"), *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  const BackwardWeight grad{at, morphmlp_in(call, "x"), dy};
  return morphmlp_first({morphmlp_each_if(dx, call, element_count(at), BackwardX{at, weight, dy, dx}),
                         morphmlp_each_if(dweight, call, at.row() * at.row(), StoreWeight{grad, dweight}),
                         morphmlp_each_if(dbias, call, at.row(), StoreBias{grad, dbias})});
}

MORPHMLP_KERNEL("temporal_fc", "naive", nullptr, forward, backward)
