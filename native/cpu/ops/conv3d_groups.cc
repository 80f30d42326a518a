// Implicit im2col. Groups of a frame are copied into scratch with the padding of each line, so that the S channels
// of a pixel and of its following taps are contiguous. The im2col rows of an output line are then overlapping rows of
// this copy (leading dimension: stride * S), and each kernel line is one GEMM. Lines run down the frame if the kernel
// is taller than wide.
#include "cpu/ops/conv3d_groups.h"

#include "cpu/gemm/grouped_layout.h"
#include "cpu/gemm/packed_weight.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kLines, kProduct };

int64_t packed_line(const GroupedConv& at, Use use) {
  return use == Use::forward ? packed_weight_size(at.outs, at.k()) : packed_weight_size(at.k(), at.outs);
}

SharedWeight<float> packed(const Conv3dShape& shape, const GroupedConv& at, Buffer& weight, Use use) {
  const int64_t lines = at.groups * at.kernel_lines(), size = at.outs * at.k(), step = packed_line(at, use);
  // `taps` encodes the kernel shape, so that a view of the same buffer with another kernel is packed again.
  const WeightMatrix matrix{at.out_channels(), at.ins * shape.kernel[0] * shape.kernel[1] * shape.kernel[2],
                            shape.kernel[1] * 65536 + shape.kernel[2], lines};
  return packed_weight<float>(weight, matrix, use, [&](const float* w) {
    const PackedWeight<float> by_line(matrix, lines * size);  // as a temporary
    for_weights(shape, at, [&](int64_t from, int64_t to) { by_line.data()[to] = w[from]; });
    auto into = std::make_shared<PackedWeight<float>>(matrix, lines * step);
    parallel_for(lines, [&](int64_t i) {
      const float* line = by_line.data() + i * size;
      if (use == Use::forward) return pack_weight(line, at.outs, at.k(), at.k(), 1, into->data() + i * step);
      pack_weight(line, at.k(), at.outs, 1, at.k(), into->data() + i * step);
    });
    return into;
  });
}

void copy_channels(const float* from, int64_t n, float* to) {
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(to + i, get(from + i)); });
}

float* cleared(int64_t floats) {
  float* lines = scratch(kLines, floats);
  std::fill(lines, lines + floats, 0.0f);
  return lines;
}

// Copies input lines [from.first, from.last) of the groups of one frame to scratch.
const float* gathered(const GroupedConv& at, const float* x, Span groups, Span from) {
  const int64_t size = from.size() * at.width();
  float* lines = cleared(groups.size() * size);
  for_line_pixels(at, from, [&](int64_t pixel, int64_t to) {
    const float* channels = x + pixel * at.in_channels() + groups.first * at.ins;
    for (int64_t g = 0; g < groups.size(); ++g) copy_channels(channels + g * at.ins, at.ins, lines + g * size + to);
  });
  return lines;
}

// Calls body(time, frame of x) for the input frames that an output frame reads.
template <class F>
void for_sources(const GroupedConv& at, const float* x, int64_t frame, F&& body) {
  const int64_t clip = frame / at.frames_out;
  for (int64_t time = 0; time < at.times; ++time)
    if (const int64_t source = at.source(frame % at.frames_out, time); source >= 0)
      body(time, x + (clip * at.frames_in + source) * at.pixels() * at.in_channels());
}

// Offset of the first output of a line and group; consecutive outputs of a line are output_step floats apart.
int64_t output_offset(const GroupedConv& at, int64_t frame, int64_t line, int64_t group) {
  return (frame * at.positions() + line * at.lines.out_step) * at.out_channels() + group * at.outs;
}
int64_t output_step(const GroupedConv& at) { return at.along.out_step * at.out_channels(); }

void initialise_outputs(const GroupedConv& at, const Conv3dForward& p, int64_t frame, const ConvTile& tile) {
  const int64_t n = tile.groups.size() * at.outs;
  for (int64_t line = tile.lines.first; line < tile.lines.last; ++line) {
    float* y = p.y + output_offset(at, frame, line, tile.groups.first);
    for (int64_t i = 0; i < at.along.out; ++i, y += output_step(at))
      p.bias ? copy_channels(p.bias + tile.groups.first * at.outs, n, y) : std::fill(y, y + n, 0.0f);
  }
}

void forward_tile(const GroupedConv& at, const Conv3dForward& p, const float* weight, int64_t frame,
                  const ConvTile& tile) {
  const int64_t step = packed_line(at, Use::forward);
  const Span from = tile.from(at.lines);
  initialise_outputs(at, p, frame, tile);
  for_sources(at, p.x, frame, [&](int64_t time, const float* source) {
    const float* x = gathered(at, source, tile.groups, from);
    for (int64_t group = tile.groups.first; group < tile.groups.last; ++group, x += from.size() * at.width())
      for_kernel_lines(at, tile.lines, [&](int64_t to, int64_t line, int64_t row) {
        gemm_block(at.along.out, at.outs, at.k(), x + (line - from.first) * at.width(), at.along.stride * at.ins,
                   weight + at.line(group, time, row) * step, p.y + output_offset(at, frame, to, group),
                   output_step(at), true);
      });
  });
}

// Accumulates a tile into the sums: the weight gradient by kernel line, then the bias gradient.
void weight_gradient_tile(const GroupedConv& at, const Conv3dBackward& p, int64_t frame, const ConvTile& tile,
                          float* sums) {
  const Span from = tile.from(at.lines);
  for (int64_t to = tile.lines.first; to < tile.lines.last; ++to)
    col_sum_block(at.along.out, tile.groups.size() * at.outs, p.dy + output_offset(at, frame, to, tile.groups.first),
                  output_step(at), sums + at.weights() + tile.groups.first * at.outs, true);
  for_sources(at, p.x, frame, [&](int64_t time, const float* source) {
    const float* x = gathered(at, source, tile.groups, from);
    for (int64_t group = tile.groups.first; group < tile.groups.last; ++group, x += from.size() * at.width())
      for_kernel_lines(at, tile.lines, [&](int64_t to, int64_t line, int64_t row) {
        gemm_tn_block(at.along.out, at.outs, at.k(), p.dy + output_offset(at, frame, to, group), output_step(at),
                      x + (line - from.first) * at.width(), at.along.stride * at.ins,
                      sums + at.line(group, time, row) * at.outs * at.k(), at.k(), true);
      });
  });
}

void weight_gradient(const GroupedConv& at, const Conv3dBackward& p) {
  const int64_t lines = at.kernel_lines() * at.outs * at.k();  // floats per group
  SplitReducer sums(p.at.batch * at.frames_out, at.weights() + at.out_channels());
  const int64_t band = lines_per_tile(at), bands = blocks_of(at.lines.out, band);
  sums.run_slices(tiles_per_frame(at, at.lines.out), [&](int64_t frame, int64_t slice, float* part, bool first) {
    const Span groups = tile_at(at, at.lines.out, slice).groups;
    if (first) std::fill(part + groups.first * lines, part + groups.last * lines, 0.0f);
    float* bias = part + at.weights();
    if (first) std::fill(bias + groups.first * at.outs, bias + groups.last * at.outs, 0.0f);
    for (int64_t i = 0; i < bands; ++i) weight_gradient_tile(at, p, frame, tile_at(at, band, slice * bands + i), part);
  });
  const PackedWeight<float> by_line({at.out_channels(), at.weights() / at.out_channels()}, at.weights());
  sums.reduce(0, at.weights(), by_line.data());
  sums.reduce(at.weights(), at.out_channels(), p.dbias);
  for_weights(p.at, at, [&](int64_t to, int64_t from) { p.dweight[to] = by_line.data()[from]; });
}

// Adds the contribution of one output frame to one group's input gradient (col2im: GEMM rows are added to the
// overlapping im2col rows).
void add_input_gradient(const GroupedConv& at, const float* dy, const float* weight, float* product, float* grad) {
  for_kernel_lines(at, {0, at.lines.out}, [&](int64_t to, int64_t from, int64_t row) {
    gemm_block(at.along.out, at.k(), at.outs, dy + output_offset(at, 0, to, 0), output_step(at),
               weight + row * packed_line(at, Use::backward), product, at.k(), false);
    for (int64_t i = 0; i < at.along.out; ++i)
      add_row(grad + from * at.width() + i * at.along.stride * at.ins, product + i * at.k(), at.k());
  });
}

// Computes dx of one group of one input frame.
void input_gradient_frame(const GroupedConv& at, const Conv3dBackward& p, const float* weight, int64_t frame,
                          int64_t group) {
  const int64_t clip = frame / at.frames_in, step = packed_line(at, Use::backward);
  float* grad = cleared(at.lines.in * at.width());
  float* product = scratch(kProduct, at.along.out * at.k());
  for (int64_t out = 0; out < at.frames_out; ++out)
    for (int64_t time = 0; time < at.times; ++time)
      if (at.source(out, time) == frame % at.frames_in)
        add_input_gradient(at, p.dy + output_offset(at, clip * at.frames_out + out, 0, group),
                           weight + at.line(group, time, 0) * step, product, grad);
  float* dx = p.dx + frame * at.pixels() * at.in_channels() + group * at.ins;
  for_line_pixels(at, {0, at.lines.in}, [&](int64_t pixel, int64_t from) {
    copy_channels(grad + from, at.ins, dx + pixel * at.in_channels());
  });
}

void input_gradient(const GroupedConv& at, const Conv3dBackward& p) {
  const auto weight = packed(p.at, at, *p.weight, Use::backward);
  const int64_t inputs = p.at.batch * at.frames_in * at.pixels() * at.in_channels();
  // Pixels that no output reads have gradient 0.
  for_blocks(inputs, kElementBlock, [&](int64_t begin, int64_t end) { std::fill(p.dx + begin, p.dx + end, 0.0f); });
  parallel_for(p.at.batch * at.frames_in * at.groups,
               [&](int64_t i) { input_gradient_frame(at, p, weight->data(), i / at.groups, i % at.groups); });
}

}  // namespace

void grouped_conv3d_forward(const Conv3dForward& p) {
  const GroupedConv at = grouped_conv(p.at);
  const auto weight = packed(p.at, at, *p.weight, Use::forward);
  const int64_t lines = lines_per_tile(at), tiles = tiles_per_frame(at, lines);
  parallel_for(p.at.batch * at.frames_out * tiles,
               [&](int64_t i) { forward_tile(at, p, weight->data(), i / tiles, tile_at(at, lines, i % tiles)); });
}

void grouped_conv3d_backward(const Conv3dBackward& p) {
  const GroupedConv at = grouped_conv(p.at);
  weight_gradient(at, p);
  if (p.dx) input_gradient(at, p);
}

namespace {

template <class From>
std::vector<float> widened(const From* from, int64_t n) {
  std::vector<float> wide(static_cast<size_t>(n));
  copy_row(wide.data(), from, n);
  return wide;
}

// A copy of a weight, rounded to bf16.
struct RoundedWeight {
  explicit RoundedWeight(const Buffer& from) : buffer(DType::f32, Device::cpu, from.length) {
    auto* to = static_cast<Rounded*>(buffer.data);
    copy_row(to, static_cast<const float*>(from.data), from.length);
  }
  Buffer buffer;
};

int64_t input_size(const Conv3dShape& at) { return at.batch * at.in_channels * at.in[0] * at.in[1] * at.in[2]; }
int64_t output_size(const Conv3dShape& at) { return at.batch * at.out_channels * at.out[0] * at.out[1] * at.out[2]; }

}  // namespace

void grouped_conv3d_forward(const Conv3dForwardOf<Bf16>& p) {
  const std::vector<float> x = widened(p.x, input_size(p.at));
  std::vector<float> y(static_cast<size_t>(output_size(p.at)));
  RoundedWeight weight(*p.weight);
  grouped_conv3d_forward(Conv3dForward{p.at, x.data(), &weight.buffer, p.bias, y.data()});
  copy_row(p.y, y.data(), output_size(p.at));
}

void grouped_conv3d_backward(const Conv3dBackwardOf<Bf16>& p) {
  const std::vector<float> x = widened(p.x, input_size(p.at)), dy = widened(p.dy, output_size(p.at));
  std::vector<float> dx(p.dx ? x.size() : 0);
  RoundedWeight weight(*p.weight);
  grouped_conv3d_backward(
      Conv3dBackward{p.at, x.data(), &weight.buffer, dy.data(), p.dx ? dx.data() : nullptr, p.dweight, p.dbias});
  if (p.dx) copy_row(p.dx, dx.data(), input_size(p.at));
}

}  // namespace morphmlp::MORPHMLP_ISA
