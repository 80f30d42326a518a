// One spatial branch of MorphFC (paper section 3.2): the rows of the FC are gathered, multiplied by a blocked matrix
// product, and scattered with the bias. Gathering while the product packs its operand would save two passes over
// memory.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

// Layout of the FC rows in the token tensor. A row has C elements: L tokens of a chunk, S = C / L channels of a group.
struct Layout {
  int64_t frames, height, width_, channels, chunk;
  bool vertical, strided;

  MORPHMLP_DEVICE int64_t group_channels() const { return channels / chunk; }  // S
  MORPHMLP_DEVICE int64_t pixels() const { return height * width_; }
  MORPHMLP_DEVICE int64_t chunks() const { return (pixels() + chunk - 1) / chunk; }
  MORPHMLP_DEVICE int64_t rows() const { return frames * chunks() * chunk; }
  MORPHMLP_DEVICE int64_t width() const { return channels; }

  // Index in x of element k of row r = (frame, chunk j, group g); -1 for padding.
  MORPHMLP_DEVICE int64_t offset(int64_t r, int64_t k) const {
    const int64_t frame = r / chunk / chunks(), j = r / chunk % chunks(), g = r % chunk, l = k / group_channels();
    const int64_t n = strided ? l * chunks() + j : j * chunk + l;
    if (n >= pixels()) return -1;
    const int64_t pixel = vertical ? n % height * width_ + n / height : n;
    return (frame * pixels() + pixel) * channels + g * group_channels() + k % group_channels();
  }
};

static Layout layout_of(const morphmlp_call* call) {
  const int64_t* x = morphmlp_input(call, "x")->shape;
  const auto attribute = [call](const char* name) { return static_cast<int64_t>(morphmlp_attribute_of(call, name)); };
  return {x[0], x[1], x[2], x[3], attribute("chunk"), attribute("vertical") != 0, attribute("strided") != 0};
}

// Row r of the FC: gathered from x, in f32. The channels of a group are contiguous.
struct Gather {
  Layout at;
  morphmlp_values x;
  float* rows;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    float* to = rows + r * at.width();
    for (int64_t k = 0; k < at.width(); k += at.group_channels()) {
      const int64_t from = at.offset(r, k);
      for (int64_t s = 0; s < at.group_channels(); ++s) to[k + s] = from < 0 ? 0 : x.get(from + s);
    }
  }
};

// Returns row r, with the bias, to the elements that it was gathered from.
struct Scatter {
  Layout at;
  const float *rows, *bias;
  morphmlp_values y;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float* from = rows + r * at.width();
    for (int64_t k = 0; k < at.width(); k += at.group_channels()) {
      const int64_t to = at.offset(r, k);
      if (to < 0) continue;
      for (int64_t s = 0; s < at.group_channels(); ++s) y.set(to + s, from[k + s] + (bias ? bias[k + s] : 0));
    }
  }
};

// Gathered rows of x or of dx, and of y or of dy.
struct Memory {
  float *x, *y;
  size_t bytes;
};

static Memory memory_of(const Layout& at, void* workspace) {
  morphmlp_arena arena = {static_cast<float*>(workspace), 0};
  Memory m;
  m.x = arena.take(at.rows() * at.width());
  m.y = arena.take(at.rows() * at.width());
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static size_t workspace(const morphmlp_call* call, int32_t) { return memory_of(layout_of(call), nullptr).bytes; }

static int32_t forward(const morphmlp_call* call) {
  const Layout at = layout_of(call);
  const Memory m = memory_of(at, call->workspace);
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        y = morphmlp_values_of(morphmlp_output(call, "y"));
  const float *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  return morphmlp_first({morphmlp_rows(call, at.rows(), Gather{at, x, m.x}),
                         morphmlp_gemm(call, false, true, at.rows(), at.width(), at.width(), m.x, weight, m.y),
                         morphmlp_rows(call, at.rows(), Scatter{at, m.y, bias, y})});
}

static int32_t backward(const morphmlp_call* call) {
  const Layout at = layout_of(call);
  const Memory m = memory_of(at, call->workspace);
  const int64_t rows = at.rows(), width = at.width();
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        dy = morphmlp_values_of(morphmlp_input(call, "dy")),
                        dx = morphmlp_values_of(morphmlp_output(call, "dx"));
  const float* weight = morphmlp_in(call, "weight");
  float *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  int32_t status = morphmlp_rows(call, rows, Gather{at, dy, m.y});
  if (status == MORPHMLP_OK && dweight)
    status = morphmlp_first({morphmlp_rows(call, rows, Gather{at, x, m.x}),
                             morphmlp_gemm(call, true, false, width, width, rows, m.y, m.x, dweight)});
  if (status == MORPHMLP_OK && dbias) status = morphmlp_sum_rows(call, rows, width, m.y, dbias);
  if (status != MORPHMLP_OK || !dx.data) return status;
  return morphmlp_first({morphmlp_gemm(call, false, false, rows, width, width, m.y, weight, m.x),
                         morphmlp_rows(call, rows, Scatter{at, m.x, nullptr, dx})});
}

MORPHMLP_TUNED_KERNEL("morph_fc", "starter", workspace, forward, backward)
