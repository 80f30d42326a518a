// A 3-D convolution as a matrix product: the inputs of each output position are gathered into a row (im2col), once for
// each group of channels. Gathering while the product packs its operand would save two passes over memory.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

struct Sizes {
  int64_t batch, in_channels, out_channels, groups, in[3], kernel[3], stride[3], padding[3], out[3];
  bool planar;
  MORPHMLP_DEVICE int64_t rows() const { return batch * out[0] * out[1] * out[2]; }
  MORPHMLP_DEVICE int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  MORPHMLP_DEVICE int64_t ins() const { return in_channels / groups; }
  MORPHMLP_DEVICE int64_t outs() const { return out_channels / groups; }
  MORPHMLP_DEVICE int64_t width() const { return ins() * taps(); }
  MORPHMLP_DEVICE int64_t inputs() const { return batch * in_channels * in[0] * in[1] * in[2]; }

  MORPHMLP_DEVICE int64_t index(int64_t b, int64_t c, const int64_t* p) const {
    const int64_t pixel = (p[0] * in[1] + p[1]) * in[2] + p[2], pixels = in[0] * in[1] * in[2];
    return planar ? (b * in_channels + c) * pixels + pixel : (b * pixels + pixel) * in_channels + c;
  }

  // Distance in x from a channel to the next.
  MORPHMLP_DEVICE int64_t step() const { return planar ? in[0] * in[1] * in[2] : 1; }

  // Index in x of the first channel of group g and a tap of output row r; -1 for padding.
  MORPHMLP_DEVICE int64_t offset(int64_t r, int64_t g, int64_t tap) const {
    const int64_t o[3] = {r / out[2] / out[1] % out[0], r / out[2] % out[1], r % out[2]};
    const int64_t k[3] = {tap / kernel[2] / kernel[1], tap / kernel[2] % kernel[1], tap % kernel[2]};
    int64_t p[3];
    for (int d = 0; d < 3; ++d) {
      p[d] = o[d] * stride[d] + k[d] - padding[d];
      if (p[d] < 0 || p[d] >= in[d]) return -1;
    }
    return index(r / out[2] / out[1] / out[0], g * ins(), p);
  }
};

static Sizes sizes_of(const morphmlp_call* call, const morphmlp_tensor* y) {
  const auto attribute = [call](const char* name) { return static_cast<int64_t>(morphmlp_attribute_of(call, name)); };
  const int64_t *x = morphmlp_input(call, "x")->shape, *weight = morphmlp_input(call, "weight")->shape;
  static const char* const kStrides[] = {"stride_t", "stride_h", "stride_w"};
  static const char* const kPaddings[] = {"padding_t", "padding_h", "padding_w"};
  Sizes at = {};
  at.planar = attribute("planar") != 0;
  at.batch = x[0];
  at.groups = attribute("groups");
  at.in_channels = weight[1] * at.groups;
  at.out_channels = weight[0];
  for (int d = 0; d < 3; ++d) {
    at.in[d] = x[at.planar ? d + 2 : d + 1];
    at.kernel[d] = weight[2 + d];
    at.stride[d] = attribute(kStrides[d]);
    at.padding[d] = attribute(kPaddings[d]);
    at.out[d] = y->shape[1 + d];
  }
  return at;
}

struct Memory {
  float *columns, *product, *dy;
  size_t bytes;
};

static Memory memory_of(const Sizes& at, void* workspace, bool backward) {
  morphmlp_arena arena = {static_cast<float*>(workspace), 0};
  Memory m;
  m.columns = arena.take(at.rows() * at.width());
  m.product = arena.take(at.rows() * at.outs());
  m.dy = arena.take(backward ? at.rows() * at.out_channels : 0);
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static const morphmlp_tensor* result_of(const morphmlp_call* call, bool backward) {
  return backward ? morphmlp_input(call, "dy") : morphmlp_output(call, "y");
}

static size_t workspace(const morphmlp_call* call, int32_t backward) {
  return memory_of(sizes_of(call, result_of(call, backward != 0)), nullptr, backward != 0).bytes;
}

// The inputs of output row r, in the order of the weight: channel by channel, tap by tap.
struct Gather {
  Sizes at;
  int64_t g;
  morphmlp_values x;
  float* columns;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const int64_t ins = at.ins(), taps = at.taps(), step = at.step();
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t from = at.offset(r, g, tap);
      float* to = columns + r * at.width() + tap;
      for (int64_t c = 0; c < ins; ++c) to[c * taps] = from < 0 ? 0 : x.get(from + c * step);
    }
  }
};

// Writes the product of group g into y, with the bias.
struct Store {
  Sizes at;
  int64_t g;
  const float *product, *bias;
  morphmlp_values y;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t o = 0; o < at.outs(); ++o) {
      const int64_t channel = g * at.outs() + o;
      y.set(r * at.out_channels + channel, product[r * at.outs() + o] + (bias ? bias[channel] : 0));
    }
  }
};

// The columns of dy that belong to group g.
struct Take {
  Sizes at;
  int64_t g;
  const float* dy;
  float* product;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t o = 0; o < at.outs(); ++o) product[r * at.outs() + o] = dy[r * at.out_channels + g * at.outs() + o];
  }
};

// dx of input pixel i in group g: the sum of the columns that were gathered from it.
struct Return {
  static constexpr int64_t kSums = 64;  // channels that share the search for the rows
  Sizes at;
  int64_t g;
  const float* columns;
  morphmlp_values dx;

  // The output row that reads pixel p through a tap; -1 if none does.
  MORPHMLP_DEVICE int64_t row(int64_t b, const int64_t* p, int64_t tap) const {
    const int64_t k[3] = {tap / at.kernel[2] / at.kernel[1], tap / at.kernel[2] % at.kernel[1], tap % at.kernel[2]};
    int64_t r = b;
    for (int d = 0; d < 3; ++d) {
      const int64_t from = p[d] + at.padding[d] - k[d];
      if (from < 0 || from % at.stride[d] != 0 || from / at.stride[d] >= at.out[d]) return -1;
      r = r * at.out[d] + from / at.stride[d];
    }
    return r;
  }

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t pixels = at.in[0] * at.in[1] * at.in[2], b = i / pixels, q = i % pixels;
    const int64_t p[3] = {q / at.in[2] / at.in[1], q / at.in[2] % at.in[1], q % at.in[2]};
    const int64_t ins = at.ins(), taps = at.taps(), step = at.step(), first = at.index(b, g * ins, p);
    for (int64_t begin = 0; begin < ins; begin += kSums) {
      const int64_t count = ins - begin < kSums ? ins - begin : kSums;
      float sums[kSums] = {};
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t r = row(b, p, tap);
        if (r < 0) continue;
        const float* from = columns + r * at.width() + begin * taps + tap;
        for (int64_t c = 0; c < count; ++c) sums[c] += from[c * taps];
      }
      for (int64_t c = 0; c < count; ++c) dx.set(first + (begin + c) * step, sums[c]);
    }
  }
};

static int32_t forward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call, result_of(call, false));
  const Memory m = memory_of(at, call->workspace, false);
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        y = morphmlp_values_of(morphmlp_output(call, "y"));
  const float *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  int32_t status = MORPHMLP_OK;
  for (int64_t g = 0; g < at.groups && status == MORPHMLP_OK; ++g)
    status = morphmlp_first({morphmlp_rows(call, at.rows(), Gather{at, g, x, m.columns}),
                             morphmlp_gemm(call, false, true, at.rows(), at.outs(), at.width(), m.columns,
                                           weight + g * at.outs() * at.width(), m.product),
                             morphmlp_rows(call, at.rows(), Store{at, g, m.product, bias, y})});
  return status;
}

static int32_t group_backward(const morphmlp_call* call, const Sizes& at, const Memory& m, int64_t g) {
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        dx = morphmlp_values_of(morphmlp_output(call, "dx"));
  const int64_t filters = g * at.outs() * at.width(), pixels = at.inputs() / at.in_channels;
  float* dweight = morphmlp_out(call, "dweight");
  int32_t status = morphmlp_rows(call, at.rows(), Take{at, g, m.dy, m.product});
  if (status == MORPHMLP_OK && dweight)
    status = morphmlp_first(
        {morphmlp_rows(call, at.rows(), Gather{at, g, x, m.columns}),
         morphmlp_gemm(call, true, false, at.outs(), at.width(), at.rows(), m.product, m.columns, dweight + filters)});
  if (status != MORPHMLP_OK || !dx.data) return status;
  return morphmlp_first({morphmlp_gemm(call, false, false, at.rows(), at.width(), at.outs(), m.product,
                                       morphmlp_in(call, "weight") + filters, m.columns),
                         morphmlp_rows(call, pixels, Return{at, g, m.columns, dx})});
}

static int32_t backward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call, result_of(call, true));
  const Memory m = memory_of(at, call->workspace, true);
  const morphmlp_values dy = morphmlp_values_of(morphmlp_input(call, "dy"));
  int32_t status = morphmlp_each(call, at.rows() * at.out_channels, morphmlp_widen{dy, m.dy});
  if (float* dbias = morphmlp_out(call, "dbias"); dbias && status == MORPHMLP_OK)
    status = morphmlp_sum_rows(call, at.rows(), at.out_channels, m.dy, dbias);
  for (int64_t g = 0; g < at.groups && status == MORPHMLP_OK; ++g) status = group_backward(call, at, m, g);
  return status;
}

MORPHMLP_TUNED_KERNEL("conv3d", "starter", workspace, forward, backward)
