// One spatial branch of MorphFC (paper section 3.2), one element at a time. An FC row has C elements, gathered from the
// L tokens of a chunk and the S = C / L channels of a group.
#include "morphmlp_each.h"

// Layout of the FC rows in the token tensor.
struct Layout {
  int64_t frames, height, width, channels, chunk;
  bool vertical, strided;

  MORPHMLP_DEVICE int64_t group_channels() const { return channels / chunk; }  // S
  MORPHMLP_DEVICE int64_t pixels() const { return height * width; }
  MORPHMLP_DEVICE int64_t chunks() const { return (pixels() + chunk - 1) / chunk; }

  // Token l of chunk j, counted along the frame's rows or columns; pixels() or more is zero padding.
  MORPHMLP_DEVICE int64_t token(int64_t j, int64_t l) const { return strided ? l * chunks() + j : j * chunk + l; }

  // Index in x of element k = l S + s of row (frame, j, g); -1 for padding.
  MORPHMLP_DEVICE int64_t offset(int64_t frame, int64_t j, int64_t g, int64_t k) const {
    const int64_t n = token(j, k / group_channels());
    if (n >= pixels()) return -1;
    const int64_t pixel = vertical ? n % height * width + n / height : n;
    return (frame * pixels() + pixel) * channels + g * group_channels() + k % group_channels();
  }
};

// The row (frame, j, g) and position k of element i of x.
struct Row {
  int64_t frame, j, g, k;

  MORPHMLP_DEVICE Row(const Layout& m, int64_t i) {
    const int64_t c = i % m.channels, pixel = i / m.channels % m.pixels();
    const int64_t n = m.vertical ? pixel % m.width * m.height + pixel / m.width : pixel;
    const int64_t l = m.strided ? n / m.chunks() : n % m.chunk;
    frame = i / m.channels / m.pixels();
    j = m.strided ? n % m.chunks() : n / m.chunk;
    g = c / m.group_channels();
    k = l * m.group_channels() + c % m.group_channels();
  }
};

struct Forward {
  Layout at;
  const float *x, *weight, *bias;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = bias ? bias[row.k] : 0;
    for (int64_t k = 0; k < at.channels; ++k) {
      const int64_t from = at.offset(row.frame, row.j, row.g, k);
      if (from >= 0) sum += x[from] * weight[row.k * at.channels + k];
    }
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
    for (int64_t n = 0; n < at.channels; ++n) {
      const int64_t from = at.offset(row.frame, row.j, row.g, n);
      if (from >= 0) sum += dy[from] * weight[n * at.channels + row.k];
    }
    dx[i] = sum;
  }
};

// dweight[n, k], or dbias[n] if k is -1: sums over all rows, in double to bound the rounding error.
struct BackwardWeight {
  Layout at;
  const float *x, *dy;

  MORPHMLP_DEVICE float sum(int64_t n, int64_t k) const {
    double total = 0;
    for (int64_t frame = 0; frame < at.frames; ++frame)
      for (int64_t j = 0; j < at.chunks(); ++j)
        for (int64_t g = 0; g < at.chunk; ++g) {
          const int64_t up = at.offset(frame, j, g, n), from = k < 0 ? 0 : at.offset(frame, j, g, k);
          if (up >= 0 && from >= 0) total += dy[up] * (k < 0 ? 1 : x[from]);
        }
    return static_cast<float>(total);
  }
};

struct StoreWeight {
  BackwardWeight grad;
  float* dweight;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    dweight[i] = grad.sum(i / grad.at.channels, i % grad.at.channels);
  }
};

struct StoreBias {
  BackwardWeight grad;
  float* dbias;
  MORPHMLP_DEVICE void operator()(int64_t n) const { dbias[n] = grad.sum(n, -1); }
};

static Layout layout_of(const morphmlp_call* call) {
  const int64_t* shape = morphmlp_input(call, "x")->shape;
  const auto attribute = [call](const char* name) { return static_cast<int64_t>(morphmlp_attribute_of(call, name)); };
  return {shape[0],
          shape[1],
          shape[2],
          shape[3],
          attribute("chunk"),
          attribute("vertical") != 0,
          attribute("strided") != 0};
}

static int64_t element_count(const Layout& at) { return at.frames * at.pixels() * at.channels; }

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
                         morphmlp_each_if(dweight, call, at.channels * at.channels, StoreWeight{grad, dweight}),
                         morphmlp_each_if(dbias, call, at.channels, StoreBias{grad, dbias})});
}

MORPHMLP_KERNEL("morph_fc", "naive", nullptr, forward, backward)
