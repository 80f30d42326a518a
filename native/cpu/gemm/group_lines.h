// How groups of a frame lie in scratch, for conv3d_groups.cc: group by group, a line of pixels after the other, each
// with its padding and the C / G channels of a pixel next to each other.
#pragma once
#include "cpu/blocks.h"
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

// One spatial axis: sizes in pixels, and the distance of neighbours in the input and in the output.
struct Axis {
  int64_t in, out, kernel, stride, padding, in_step, out_step;

  // Where output `to` reads tap `tap`; -1 outside.
  int64_t from(int64_t to, int64_t tap) const {
    const int64_t at = to * stride - padding + tap;
    return at < in ? std::max<int64_t>(at, -1) : -1;
  }
};

struct Groups {
  Axis lines, along;  // of the kernel, `along` is the longer side
  int64_t groups, ins, outs, frames_in, frames_out, times, time_stride, time_padding;

  int64_t pixels() const { return lines.in * along.in; }
  int64_t positions() const { return lines.out * along.out; }
  int64_t width() const { return ((along.out - 1) * along.stride + along.kernel) * ins; }  // of a line in scratch
  int64_t k() const { return along.kernel * ins; }                                         // of one product
  int64_t kernel_lines() const { return times * lines.kernel; }
  int64_t line(int64_t group, int64_t time, int64_t row) const {
    return group * kernel_lines() + time * lines.kernel + row;
  }
  int64_t in_channels() const { return groups * ins; }
  int64_t out_channels() const { return groups * outs; }
  int64_t weights() const { return groups * kernel_lines() * outs * k(); }
  int64_t source(int64_t frame, int64_t time) const {  // the input frame of a clip's output frame; -1 outside
    const int64_t at = frame * time_stride - time_padding + time;
    return at < frames_in ? std::max<int64_t>(at, -1) : -1;
  }
};

inline Axis axis_of(const Conv3dShape& at, int i) {
  const bool row = i == 2;  // neighbours in a row
  return {at.in[i], at.out[i], at.kernel[i], at.stride[i], at.padding[i], row ? 1 : at.in[2], row ? 1 : at.out[2]};
}

inline Groups groups_of(const Conv3dShape& at) {
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

// Where a number of the weight [out, C / G, kt, kh, kw] lies among lines [group, kt, line][out / G][along][C / G].
template <class F>
void for_weights(const Conv3dShape& shape, const Groups& at, F&& body) {
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

// The part of a frame that is copied at a time: groups whose channels fill some cache lines of a pixel, and lines such
// that the copy stays in a core's cache.
struct Part {
  Span groups, lines;  // lines of outputs

  // The lines of the input that those of the outputs read.
  Span from(const Axis& axis) const {
    const int64_t first = std::max<int64_t>(0, lines.first * axis.stride - axis.padding);
    const int64_t last = (lines.last - 1) * axis.stride - axis.padding + axis.kernel;
    return {first, std::max(first, std::min(axis.in, last))};
  }
};

inline int64_t groups_a_part(const Groups& at) { return std::min(at.groups, blocks_of(64, at.ins)); }

inline int64_t lines_a_part(const Groups& at) {
  constexpr int64_t kFloats = 1 << 15;
  const int64_t fit = kFloats / (groups_a_part(at) * at.width());
  return std::min(at.lines.out, std::max({fit, at.lines.kernel, int64_t{1}}));
}

// Part `index` of those that `groups_a_part` and so many lines a part make of a frame.
inline int64_t parts_a_frame(const Groups& at, int64_t lines) {
  return blocks_of(at.groups, groups_a_part(at)) * blocks_of(at.lines.out, lines);
}
inline Part part_of(const Groups& at, int64_t lines, int64_t index) {
  const int64_t bands = blocks_of(at.lines.out, lines), size = groups_a_part(at);
  const int64_t group = index / bands * size, line = index % bands * lines;
  return {{group, std::min(at.groups, group + size)}, {line, std::min(at.lines.out, line + lines)}};
}

// body(pixel, floats behind the beginning of the first line) for the inside of some lines of the input.
template <class F>
void for_inside(const Groups& at, Span lines, F&& body) {
  const int64_t begin = at.along.padding, end = std::min(at.along.in + begin, at.width() / at.ins);
  for (int64_t line = lines.first; line < lines.last; ++line)
    for (int64_t i = begin; i < end; ++i)
      body(line * at.lines.in_step + (i - begin) * at.along.in_step, (line - lines.first) * at.width() + i * at.ins);
}

// body(to, from, row) for some lines of outputs and each of the kernel's lines that finds one of the input's.
template <class F>
void for_lines(const Groups& at, Span lines, F&& body) {
  for (int64_t to = lines.first; to < lines.last; ++to)
    for (int64_t row = 0; row < at.lines.kernel; ++row)
      if (const int64_t from = at.lines.from(to, row); from >= 0) body(to, from, row);
}

}  // namespace morphmlp::MORPHMLP_ISA
