#include "cpu/patches.h"

#include <cstring>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// The input pixel of an output position's first tap; it may lie outside.
struct Corner {
  Corner(const Conv3dShape& at, int64_t position)
      : clip(position / positions_a_clip(at)),
        t(position / positions_a_frame(at) % at.out[0] * at.stride[0] - at.padding[0]),
        h(position / at.out[2] % at.out[1] * at.stride[1] - at.padding[1]),
        w(position % at.out[2] * at.stride[2] - at.padding[2]) {}
  int64_t clip, t, h, w;
};

// The taps of one line of the kernel that lie inside the input: [first, last).
struct Taps {
  Taps(const Conv3dShape& at, int64_t w)
      : first(std::min(at.kernel[2], std::max<int64_t>(0, -w))),
        last(std::max(first, std::min(at.kernel[2], at.in[2] - w))) {}
  int64_t first, last;
};

bool inside(const Conv3dShape& at, int64_t t, int64_t h) { return t >= 0 && t < at.in[0] && h >= 0 && h < at.in[1]; }

// One channels-last patch: the taps of a line are neighbours in memory.
template <class F>
void for_lines(const Conv3dShape& at, const Corner& corner, F&& body) {
  const int64_t line = at.kernel[2] * at.in_channels;
  const Taps taps(at, corner.w);
  for (int64_t kt = 0; kt < at.kernel[0]; ++kt)
    for (int64_t kh = 0; kh < at.kernel[1]; ++kh) {
      const int64_t t = corner.t + kt, h = corner.h + kh, row = (kt * at.kernel[1] + kh) * line;
      const bool there = inside(at, t, h) && taps.first < taps.last;
      const int64_t pixel = ((corner.clip * at.in[0] + t) * at.in[1] + h) * at.in[2] + corner.w + taps.first;
      const int64_t begin = there ? taps.first * at.in_channels : line, end = there ? taps.last * at.in_channels : line;
      body(row, begin, end, line, there ? pixel * at.in_channels : 0);
    }
}

void gather_planar(const Conv3dShape& at, const float* x, const Corner& corner, float* row) {
  const Taps taps(at, corner.w);
  for (int64_t c = 0; c < at.in_channels; ++c)
    for (int64_t kt = 0; kt < at.kernel[0]; ++kt)
      for (int64_t kh = 0; kh < at.kernel[1]; ++kh, row += at.kernel[2]) {
        const int64_t t = corner.t + kt, h = corner.h + kh;
        const float* from =
            x + (((corner.clip * at.in_channels + c) * at.in[0] + t) * at.in[1] + h) * at.in[2] + corner.w;
        for (int64_t kw = 0; kw < at.kernel[2]; ++kw)
          row[kw] = inside(at, t, h) && kw >= taps.first && kw < taps.last ? from[kw] : 0.0f;
      }
}

void gather_channels_last(const Conv3dShape& at, const float* x, const Corner& corner, float* row) {
  for_lines(at, corner, [&](int64_t place, int64_t begin, int64_t end, int64_t line, int64_t from) {
    float* to = row + place;
    if (begin > 0) std::memset(to, 0, static_cast<size_t>(begin) * sizeof(float));
    if (end > begin) std::memcpy(to + begin, x + from, static_cast<size_t>(end - begin) * sizeof(float));
    if (line > end) std::memset(to + end, 0, static_cast<size_t>(line - end) * sizeof(float));
  });
}

}  // namespace

void gather_patches(const Conv3dShape& at, const float* x, int64_t begin, int64_t end, float* rows) {
  for (int64_t position = begin; position < end; ++position, rows += patch_length(at)) {
    const Corner corner(at, position);
    at.planar ? gather_planar(at, x, corner, rows) : gather_channels_last(at, x, corner, rows);
  }
}

void scatter_patches(const Conv3dShape& at, const float* rows, int64_t begin, int64_t end, float* dx) {
  for (int64_t position = begin; position < end; ++position, rows += patch_length(at))
    for_lines(at, Corner(at, position), [&](int64_t place, int64_t first, int64_t last, int64_t, int64_t to) {
      if (last > first) add_row(dx + to, rows + place + first, last - first);
    });
}

}  // namespace morphmlp::MORPHMLP_ISA
