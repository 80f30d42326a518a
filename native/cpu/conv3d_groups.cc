// One group of one frame is copied into scratch, each line of pixels with its padding: then the S channels of position
// i and those of the taps behind it lie next to each other, and the patches of a line of outputs are the rows of a
// matrix that overlap (leading dimension: the stride times S). No patch is copied. A line of the kernel is one product
// with that matrix. Where the kernel is a column, lines run down the frame.
#include "cpu/conv3d_groups.h"

#include "cpu/group_lines.h"
#include "cpu/packed_weight.h"
#include "cpu/partial_sums.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kFrame, kProduct };

int64_t packed_line(const Groups& at, Use use) {
  return use == Use::forward ? packed_weight_size(at.outs, at.k()) : packed_weight_size(at.k(), at.outs);
}

std::shared_ptr<PackedWeight> packed(const Conv3dShape& shape, const Groups& at, Buffer& weight, Use use) {
  const int64_t lines = at.groups * at.kernel_lines(), size = at.outs * at.k(), step = packed_line(at, use);
  const WeightMatrix matrix{at.out_channels(), at.ins * shape.kernel[0] * shape.kernel[1] * shape.kernel[2],
                            shape.kernel[1] * 65536 + shape.kernel[2], lines};
  return packed_weight(weight, matrix, use, [&](const float* w) {
    const PackedWeight by_line(matrix, lines * size);  // memory that is given back
    for_weights(shape, at, [&](int64_t from, int64_t to) { by_line.data()[to] = w[from]; });
    auto into = std::make_shared<PackedWeight>(matrix, lines * step);
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

float* cleared_frame(const Groups& at) {
  float* frame = scratch(kFrame, at.lines.in * at.width());
  std::fill(frame, frame + at.lines.in * at.width(), 0.0f);
  return frame;
}

const float* gathered(const Groups& at, const float* x, int64_t group) {
  float* frame = cleared_frame(at);
  const float* from = x + group * at.ins;
  for_inside(at,
             [&](int64_t pixel, int64_t to) { copy_channels(from + pixel * at.in_channels(), at.ins, frame + to); });
  return frame;
}

void start_outputs(const Groups& at, const float* bias, float* y) {
  for (int64_t i = 0; i < at.positions(); ++i, y += at.out_channels())
    bias ? copy_channels(bias, at.outs, y) : std::fill(y, y + at.outs, 0.0f);
}

// One group of one frame of outputs.
void forward_frame(const Groups& at, const Conv3dForward& p, const float* weight, int64_t frame, int64_t group) {
  const int64_t clip = frame / at.frames_out, step = packed_line(at, Use::forward);
  float* y = p.y + frame * at.positions() * at.out_channels() + group * at.outs;
  start_outputs(at, p.bias ? p.bias + group * at.outs : nullptr, y);
  for (int64_t time = 0; time < at.times; ++time) {
    const int64_t source = at.source(frame % at.frames_out, time);
    if (source < 0) continue;
    const float* x = gathered(at, p.x + (clip * at.frames_in + source) * at.pixels() * at.in_channels(), group);
    for_lines(at, [&](int64_t to, int64_t from, int64_t row) {
      gemm_block(at.along.out, at.outs, at.k(), x + from * at.width(), at.along.stride * at.ins,
                 weight + at.line(group, time, row) * step, y + to * at.lines.out_step * at.out_channels(),
                 at.along.out_step * at.out_channels(), true);
    });
  }
}

// Of one group, what one frame of outputs adds to the sums: its lines of the weight, and behind all lines the bias.
void weight_gradient_frame(const Groups& at, const Conv3dBackward& p, int64_t frame, int64_t group, float* sums) {
  const int64_t clip = frame / at.frames_out, step = at.along.out_step * at.out_channels();
  const float* dy = p.dy + frame * at.positions() * at.out_channels() + group * at.outs;
  for (int64_t to = 0; to < at.lines.out; ++to)
    col_sum_block(at.along.out, at.outs, dy + to * at.lines.out_step * at.out_channels(), step,
                  sums + at.weights() + group * at.outs, true);
  for (int64_t time = 0; time < at.times; ++time) {
    const int64_t source = at.source(frame % at.frames_out, time);
    if (source < 0) continue;
    const float* x = gathered(at, p.x + (clip * at.frames_in + source) * at.pixels() * at.in_channels(), group);
    for_lines(at, [&](int64_t to, int64_t from, int64_t row) {
      gemm_tn_block(at.along.out, at.outs, at.k(), dy + to * at.lines.out_step * at.out_channels(), step,
                    x + from * at.width(), at.along.stride * at.ins,
                    sums + at.line(group, time, row) * at.outs * at.k(), at.k(), true);
    });
  }
}

void weight_gradient(const Groups& at, const Conv3dBackward& p) {
  const int64_t lines = at.kernel_lines() * at.outs * at.k();  // floats a group
  PartialSums sums(p.at.batch * at.frames_out, at.weights() + at.out_channels());
  sums.run_slices(at.groups, [&](int64_t frame, int64_t group, float* part, bool first) {
    float* bias = part + at.weights() + group * at.outs;
    if (first) std::fill(part + group * lines, part + (group + 1) * lines, 0.0f);
    if (first) std::fill(bias, bias + at.outs, 0.0f);
    weight_gradient_frame(at, p, frame, group, part);
  });
  const PackedWeight by_line({at.out_channels(), at.weights() / at.out_channels()}, at.weights());
  sums.reduce(0, at.weights(), by_line.data());
  sums.reduce(at.weights(), at.out_channels(), p.dbias);
  for_weights(p.at, at, [&](int64_t to, int64_t from) { p.dweight[to] = by_line.data()[from]; });
}

// dx of one group of one frame of inputs: each product's rows are added where the overlapping patches lie.
void input_gradient_frame(const Groups& at, const Conv3dBackward& p, const float* weight, int64_t frame,
                          int64_t group) {
  const int64_t clip = frame / at.frames_in, step = packed_line(at, Use::backward);
  float* grad = cleared_frame(at);
  float* product = scratch(kProduct, at.along.out * at.k());
  for (int64_t out = 0; out < at.frames_out; ++out)
    for (int64_t time = 0; time < at.times; ++time) {
      if (at.source(out, time) != frame % at.frames_in) continue;
      const float* dy = p.dy + (clip * at.frames_out + out) * at.positions() * at.out_channels() + group * at.outs;
      for_lines(at, [&](int64_t to, int64_t from, int64_t row) {
        gemm_block(at.along.out, at.k(), at.outs, dy + to * at.lines.out_step * at.out_channels(),
                   at.along.out_step * at.out_channels(), weight + at.line(group, time, row) * step, product, at.k(),
                   false);
        for (int64_t i = 0; i < at.along.out; ++i)
          add_row(grad + from * at.width() + i * at.along.stride * at.ins, product + i * at.k(), at.k());
      });
    }
  float* dx = p.dx + frame * at.pixels() * at.in_channels() + group * at.ins;
  for_inside(at,
             [&](int64_t pixel, int64_t from) { copy_channels(grad + from, at.ins, dx + pixel * at.in_channels()); });
}

void input_gradient(const Groups& at, const Conv3dBackward& p) {
  const auto weight = packed(p.at, at, *p.weight, Use::backward);
  const int64_t inputs = p.at.batch * at.frames_in * at.pixels() * at.in_channels();
  // Pixels behind the last patch get no gradient.
  for_blocks(inputs, kElementBlock, [&](int64_t begin, int64_t end) { std::fill(p.dx + begin, p.dx + end, 0.0f); });
  parallel_for(p.at.batch * at.frames_in * at.groups,
               [&](int64_t i) { input_gradient_frame(at, p, weight->data(), i / at.groups, i % at.groups); });
}

}  // namespace

void grouped_conv3d_forward(const Conv3dForward& p) {
  const Groups at = groups_of(p.at);
  const auto weight = packed(p.at, at, *p.weight, Use::forward);
  parallel_for(p.at.batch * at.frames_out * at.groups,
               [&](int64_t i) { forward_frame(at, p, weight->data(), i / at.groups, i % at.groups); });
}

void grouped_conv3d_backward(const Conv3dBackward& p) {
  const Groups at = groups_of(p.at);
  weight_gradient(at, p);
  if (p.dx) input_gradient(at, p);
}

}  // namespace morphmlp::MORPHMLP_ISA
