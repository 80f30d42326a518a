#include "ops/clip_input.h"
#include "ops/clip_mix.h"

#include <cstring>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kLines = 16;  // lines of a frame per task

// A line of a frame: its bytes, those of the clip it is mixed with, and its output in the first of three planes.
template <class T>
struct Line {
  const uint8_t *own, *other;
  T* to;
  int64_t plane;  // stride between channels of the output
};

template <class T>
Line<T> line_of(const ClipInputForwardOf<T>& p, int64_t number) {
  const int64_t lines = p.frames * p.height, clip = number / lines, line = number % lines;
  const auto bytes = [&](int64_t source) { return p.pixels + (source * lines + line) * p.width * 3; };
  return {bytes(clip), bytes(p.clips - 1 - clip), p.x + (clip * 3 * lines + line) * p.width, lines * p.width};
}

template <class T>
void look_up(const float* tables, const Line<T>& line, int64_t begin, int64_t end) {
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = begin; i < end; ++i)
      assign(line.to + c * line.plane + i, tables[c * kByteValues + line.own[3 * i + c]]);
}

// In double, so that products are exact and the sum is rounded once.
template <class T>
void blend(const float* tables, const ClipMix& mix, const Line<T>& line, int64_t begin, int64_t end) {
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = begin; i < end; ++i) {
      const double own = tables[c * kByteValues + line.own[3 * i + c]];
      const double other = tables[c * kByteValues + line.other[3 * i + c]];
      assign(line.to + c * line.plane + i, static_cast<float>(own * mix.keep + other * mix.take));
    }
}

// Clamps a side of the box to [0, width]; NaN gives 0.
int64_t clamp_column(float at, int64_t width) {
  if (!(at > 0)) return 0;
  return at < static_cast<float>(width) ? static_cast<int64_t>(at) : width;
}

}  // namespace

template <class T>
void clip_input_forward(const ClipInputForwardOf<T>& p) {
  ClipMix mix;
  std::memcpy(&mix, p.settings + kClipTables, sizeof(mix));
  const auto inside = [](int64_t at, float from, float length) {
    return static_cast<float>(at) >= from && static_cast<float>(at) < from + length;
  };
  const int64_t left = clamp_column(mix.x, p.width), right = std::max(left, clamp_column(mix.x + mix.width, p.width));
  for_blocks(p.clips * p.frames * p.height, kLines, [&](int64_t begin, int64_t end) {
    for (int64_t number = begin; number < end; ++number) {
      const Line<T> line = line_of(p, number);
      const bool mixed = line.own != line.other && inside(number % p.height, mix.y, mix.height);
      look_up(p.settings, line, 0, mixed ? left : p.width);
      if (!mixed) continue;
      blend(p.settings, mix, line, left, right);
      look_up(p.settings, line, right, p.width);
    }
  });
}
FOR_FLOATS(clip_input_forward, ClipInputForward)

}  // namespace morphmlp::MORPHMLP_ISA
