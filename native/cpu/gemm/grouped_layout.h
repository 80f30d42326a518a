// Layout of the groups of a frame in scratch, for conv3d_groups.cc: [group][line][pixel][C / G], where each line
// includes its padding. A line is a row of pixels, or a column if the kernel is taller than wide.
#pragma once
#include "cpu/blocks.h"
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

// One spatial axis: sizes in pixels, and the strides of adjacent pixels in the input and in the output.
struct Axis {
  int64_t in, out, kernel, stride, padding, in_step, out_step;

  // The input index that output `to` reads for tap `tap`; -1 outside the input.
  int64_t from(int64_t to, int64_t tap) const {
    const int64_t at = to * stride - padding + tap;
    return at < in ? std::max<int64_t>(at, -1) : -1;
  }
};

struct GroupedConv {
  Axis lines, along;  // `along` is the kernel's longer side
  int64_t groups, ins, outs, frames_in, frames_out, times, time_stride, time_padding;

  int64_t pixels() const { return lines.in * along.in; }
  int64_t positions() const { return lines.out * along.out; }
  // Floats of a line in scratch.
  int64_t width() const { return ((along.out - 1) * along.stride + along.kernel) * ins; }
  int64_t k() const { return along.kernel * ins; }  // reduction length of one GEMM
  int64_t kernel_lines() const { return times * lines.kernel; }
  int64_t line(int64_t group, int64_t time, int64_t row) const {
    return group * kernel_lines() + time * lines.kernel + row;
  }
  int64_t in_channels() const { return groups * ins; }
  int64_t out_channels() const { return groups * outs; }
  int64_t weights() const { return groups * kernel_lines() * outs * k(); }
  int64_t source(int64_t frame, int64_t time) const {  // input frame of an output frame, within a clip; -1 outside
    const int64_t at = frame * time_stride - time_padding + time;
    return at < frames_in ? std::max<int64_t>(at, -1) : -1;
  }
};

inline Axis axis_of(const Conv3dShape& at, int i) {
  const bool row = i == 2;  // pixels of a row are adjacent
  return {at.in[i], at.out[i], at.kernel[i], at.stride[i], at.padding[i], row ? 1 : at.in[2], row ? 1 : at.out[2]};
}

inline GroupedConv grouped_conv(const Conv3dShape& at) {
  const bool column = at.kernel[1] > at.kernel[2];
  return {axis_of(at, column ? 2 : 1),
          axis_of(at, column ? 1 : 2),
          at.groups,
          at.in_channels / at.groups,
          at.out_channels / at.groups,
          at.in[0],
          at.out[0],
          at.kernel[0],
          at.stride[0],
          at.padding[0]};
}

// Calls body(i, j) for each element of the weight: index i in [out, C / G, kt, kh, kw] and index j in
// [group, kt, line][out / G][along][C / G].
template <class F>
void for_weights(const Conv3dShape& shape, const GroupedConv& at, F&& body) {
  const bool column = shape.kernel[1] > shape.kernel[2];
  parallel_for(at.out_channels(), [&](int64_t out) {
    int64_t i = out * at.ins * at.times * shape.kernel[1] * shape.kernel[2];
    for (int64_t c = 0; c < at.ins; ++c)
      for (int64_t t = 0; t < at.times; ++t)
        for (int64_t h = 0; h < shape.kernel[1]; ++h)
          for (int64_t w = 0; w < shape.kernel[2]; ++w, ++i) {
            const int64_t line = at.line(out / at.outs, t, column ? w : h);
            body(i, (line * at.outs + out % at.outs) * at.k() + (column ? h : w) * at.ins + c);
          }
  });
}

struct Span {
  int64_t first, last;
  int64_t size() const { return last - first; }
};

// A tile of an output frame: groups whose channels fill a few cache lines of a pixel, and as many lines as keep the
// copied inputs in L2.
struct ConvTile {
  Span groups, lines;  // output lines

  // The input lines that the output lines read.
  Span from(const Axis& axis) const {
    const int64_t first = std::max<int64_t>(0, lines.first * axis.stride - axis.padding);
    const int64_t last = (lines.last - 1) * axis.stride - axis.padding + axis.kernel;
    return {first, std::max(first, std::min(axis.in, last))};
  }
};

inline int64_t groups_per_tile(const GroupedConv& at) { return std::min(at.groups, blocks_of(64, at.ins)); }

inline int64_t lines_per_tile(const GroupedConv& at) {
  constexpr int64_t kFloats = 1 << 15;
  const int64_t fit = kFloats / (groups_per_tile(at) * at.width());
  return std::min(at.lines.out, std::max({fit, at.lines.kernel, int64_t{1}}));
}

// A frame consists of tiles_per_frame tiles of groups_per_tile groups and `lines` lines; tile_at returns one of them.
inline int64_t tiles_per_frame(const GroupedConv& at, int64_t lines) {
  return blocks_of(at.groups, groups_per_tile(at)) * blocks_of(at.lines.out, lines);
}
inline ConvTile tile_at(const GroupedConv& at, int64_t lines, int64_t index) {
  const int64_t bands = blocks_of(at.lines.out, lines), size = groups_per_tile(at);
  const int64_t group = index / bands * size, line = index % bands * lines;
  return {{group, std::min(at.groups, group + size)}, {line, std::min(at.lines.out, line + lines)}};
}

// Calls body(pixel, offset in scratch) for the pixels of input lines, without the padding.
template <class F>
void for_line_pixels(const GroupedConv& at, Span lines, F&& body) {
  const int64_t begin = at.along.padding, end = std::min(at.along.in + begin, at.width() / at.ins);
  for (int64_t line = lines.first; line < lines.last; ++line)
    for (int64_t i = begin; i < end; ++i)
      body(line * at.lines.in_step + (i - begin) * at.along.in_step, (line - lines.first) * at.width() + i * at.ins);
}

// Calls body(to, from, row) for output lines `to` and kernel lines `row` whose input line `from` exists.
template <class F>
void for_kernel_lines(const GroupedConv& at, Span lines, F&& body) {
  for (int64_t to = lines.first; to < lines.last; ++to)
    for (int64_t row = 0; row < at.lines.kernel; ++row)
      if (const int64_t from = at.lines.from(to, row); from >= 0) body(to, from, row);
}

}  // namespace morphmlp::MORPHMLP_ISA
