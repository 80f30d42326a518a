// MorphFC along time (paper section 3.3), one number at a time: each is a sum of T S products, gathered from all steps
// of a position and the S = C / G channels of a group.
#include "morphmlp_each.h"

struct Time {
  int64_t clips, steps, positions, channels, groups;

  MORPHMLP_DEVICE int64_t group() const { return channels / groups; }  // S, channels a group
  MORPHMLP_DEVICE int64_t row() const { return steps * group(); }

  // Where number k = t S + s of row (clip, position, g) lies in x.
  MORPHMLP_DEVICE int64_t place(int64_t clip, int64_t position, int64_t g, int64_t k) const {
    const int64_t t = k / group(), c = g * group() + k % group();
    return ((clip * steps + t) * positions + position) * channels + c;
  }
};

// The row that a number of x belongs to, and its index k there.
struct Row {
  int64_t clip, position, g, k;

  MORPHMLP_DEVICE Row(const Time& at, int64_t i) {
    const int64_t c = i % at.channels, t = i / (at.channels * at.positions) % at.steps;
    clip = i / (at.channels * at.positions * at.steps);
    position = i / at.channels % at.positions;
    g = c / at.group();
    k = t * at.group() + c % at.group();
  }
};

struct Forward {
  Time at;
  const float *x, *weight, *bias;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = bias ? bias[row.k] : 0;
    for (int64_t k = 0; k < at.row(); ++k)
      sum += x[at.place(row.clip, row.position, row.g, k)] * weight[row.k * at.row() + k];
    y[i] = sum;
  }
};

struct BackwardX {
  Time at;
  const float *weight, *dy;
  float* dx;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = 0;
    for (int64_t n = 0; n < at.row(); ++n)
      sum += dy[at.place(row.clip, row.position, row.g, n)] * weight[n * at.row() + row.k];
    dx[i] = sum;
  }
};

// dweight[n, k], and dbias[n] where k is -1: sums over all rows, in double so that the rounding does not grow with
// them.
struct BackwardWeight {
  Time at;
  const float *x, *dy;

  MORPHMLP_DEVICE float sum(int64_t n, int64_t k) const {
    double total = 0;
    for (int64_t clip = 0; clip < at.clips; ++clip)
      for (int64_t position = 0; position < at.positions; ++position)
        for (int64_t g = 0; g < at.groups; ++g)
          total += dy[at.place(clip, position, g, n)] * (k < 0 ? 1 : x[at.place(clip, position, g, k)]);
    return static_cast<float>(total);
  }
};

struct IntoWeight {
  BackwardWeight of;
  float* dweight;
  MORPHMLP_DEVICE void operator()(int64_t i) const { dweight[i] = of.sum(i / of.at.row(), i % of.at.row()); }
};

struct IntoBias {
  BackwardWeight of;
  float* dbias;
  MORPHMLP_DEVICE void operator()(int64_t n) const { dbias[n] = of.sum(n, -1); }
};

static Time time_of(const morphmlp_call* call) {
  const int64_t* shape = morphmlp_input(call, "x")->shape;
  return {shape[0], shape[1], shape[2], shape[3], static_cast<int64_t>(morphmlp_attribute_of(call, "groups"))};
}

static int64_t numbers(const Time& at) { return at.clips * at.steps * at.positions * at.channels; }

static int32_t forward(const morphmlp_call* call) {
  const Time at = time_of(call);
  const float *x = morphmlp_in(call, "x"), *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  return morphmlp_each(call, numbers(at), Forward{at, x, weight, bias, morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const Time at = time_of(call);
  const float *weight = morphmlp_in(call, "weight"), *dy = morphmlp_in(call, "dy");
  float *dx = morphmlp_out(call, "dx"), *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  const BackwardWeight of{at, morphmlp_in(call, "x"), dy};
  return morphmlp_first({morphmlp_each_if(dx, call, numbers(at), BackwardX{at, weight, dy, dx}),
                         morphmlp_each_if(dweight, call, at.row() * at.row(), IntoWeight{of, dweight}),
                         morphmlp_each_if(dbias, call, at.row(), IntoBias{of, dbias})});
}

MORPHMLP_KERNEL("temporal_fc", "naive", nullptr, forward, backward)
