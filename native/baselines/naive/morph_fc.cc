// One spatial branch of MorphFC (paper section 3.2), one number at a time: each is a sum of C products, gathered from
// the L tokens of a chunk and the S = C / L channels of a group.
#include "morphmlp_each.h"

// Where the numbers of an FC's rows lie in the tokens.
struct Morph {
  int64_t frames, height, width, channels, chunk;
  bool vertical, strided;

  MORPHMLP_DEVICE int64_t group() const { return channels / chunk; }  // S, channels a group
  MORPHMLP_DEVICE int64_t pixels() const { return height * width; }
  MORPHMLP_DEVICE int64_t chunks() const { return (pixels() + chunk - 1) / chunk; }

  // Token l of chunk j, counted along the frame's rows or columns; pixels() or more: a zero behind the frame's end.
  MORPHMLP_DEVICE int64_t token(int64_t j, int64_t l) const { return strided ? l * chunks() + j : j * chunk + l; }

  // Where number k = l S + s of row (frame, j, g) lies in x; -1 behind the frame's end.
  MORPHMLP_DEVICE int64_t place(int64_t frame, int64_t j, int64_t g, int64_t k) const {
    const int64_t n = token(j, k / group());
    if (n >= pixels()) return -1;
    const int64_t pixel = vertical ? n % height * width + n / height : n;
    return (frame * pixels() + pixel) * channels + g * group() + k % group();
  }
};

// The row that a number of x belongs to, and its index k there.
struct Row {
  int64_t frame, j, g, k;

  MORPHMLP_DEVICE Row(const Morph& m, int64_t i) {
    const int64_t c = i % m.channels, pixel = i / m.channels % m.pixels();
    const int64_t n = m.vertical ? pixel % m.width * m.height + pixel / m.width : pixel;
    const int64_t l = m.strided ? n / m.chunks() : n % m.chunk;
    frame = i / m.channels / m.pixels();
    j = m.strided ? n % m.chunks() : n / m.chunk;
    g = c / m.group();
    k = l * m.group() + c % m.group();
  }
};

struct Forward {
  Morph at;
  const float *x, *weight, *bias;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = bias ? bias[row.k] : 0;
    for (int64_t k = 0; k < at.channels; ++k) {
      const int64_t from = at.place(row.frame, row.j, row.g, k);
      if (from >= 0) sum += x[from] * weight[row.k * at.channels + k];
    }
    y[i] = sum;
  }
};

struct BackwardX {
  Morph at;
  const float *weight, *dy;
  float* dx;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const Row row(at, i);
    float sum = 0;
    for (int64_t n = 0; n < at.channels; ++n) {
      const int64_t from = at.place(row.frame, row.j, row.g, n);
      if (from >= 0) sum += dy[from] * weight[n * at.channels + row.k];
    }
    dx[i] = sum;
  }
};

// dweight[n, k], and dbias[n] where k is -1: sums over all rows, in double so that the rounding does not grow with
// them.
struct BackwardWeight {
  Morph at;
  const float *x, *dy;

  MORPHMLP_DEVICE float sum(int64_t n, int64_t k) const {
    double total = 0;
    for (int64_t frame = 0; frame < at.frames; ++frame)
      for (int64_t j = 0; j < at.chunks(); ++j)
        for (int64_t g = 0; g < at.chunk; ++g) {
          const int64_t up = at.place(frame, j, g, n), from = k < 0 ? 0 : at.place(frame, j, g, k);
          if (up >= 0 && from >= 0) total += dy[up] * (k < 0 ? 1 : x[from]);
        }
    return static_cast<float>(total);
  }
};

struct IntoWeight {
  BackwardWeight of;
  float* dweight;
  MORPHMLP_DEVICE void operator()(int64_t i) const { dweight[i] = of.sum(i / of.at.channels, i % of.at.channels); }
};

struct IntoBias {
  BackwardWeight of;
  float* dbias;
  MORPHMLP_DEVICE void operator()(int64_t n) const { dbias[n] = of.sum(n, -1); }
};

static Morph morph_of(const morphmlp_call* call) {
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

static int64_t numbers(const Morph& at) { return at.frames * at.pixels() * at.channels; }

static int32_t forward(const morphmlp_call* call) {
  const Morph at = morph_of(call);
  const float *x = morphmlp_in(call, "x"), *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  return morphmlp_each(call, numbers(at), Forward{at, x, weight, bias, morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const Morph at = morph_of(call);
  const float *weight = morphmlp_in(call, "weight"), *dy = morphmlp_in(call, "dy");
  float *dx = morphmlp_out(call, "dx"), *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  const BackwardWeight of{at, morphmlp_in(call, "x"), dy};
  return morphmlp_first({morphmlp_each_if(dx, call, numbers(at), BackwardX{at, weight, dy, dx}),
                         morphmlp_each_if(dweight, call, at.channels * at.channels, IntoWeight{of, dweight}),
                         morphmlp_each_if(dbias, call, at.channels, IntoBias{of, dbias})});
}

MORPHMLP_KERNEL("morph_fc", "naive", nullptr, forward, backward)
