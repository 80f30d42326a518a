#include "cpu/gemm/im2col.h"

#include <cstring>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

void copy(float* to, const float* from, int64_t n) { std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float)); }

void clear(float* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = 0.0f;
}

// Goes through output positions in order, and knows where the lines of the patch begin in the input.
class Walk {
 public:
  Walk(const Conv3dShape& at, const PatchBlock& block)
      : at_(at),
        block_(block),
        pixel_(at.planar ? 1 : at.in_channels),
        column_(block.begin % at.out[2]),
        row_(block.begin / at.out[2]),
        starts_(static_cast<size_t>(block.last - block.first)) {
    enter_row();
  }

  // Goes on by `positions`, at most to the beginning of the next row.
  void advance(int64_t positions) {
    column_ += positions;
    if (column_ < at_.out[2]) return;
    column_ = 0;
    ++row_;
    enter_row();
  }
  int64_t left_in_row() const { return at_.out[2] - column_; }

  // The lines' taps inside the input: [first, last) in pixels, the same for all lines; empty where first == last.
  int64_t left() const { return column_ * at_.stride[2] - at_.padding[2]; }
  int64_t first() const { return std::min(at_.kernel[2], std::max<int64_t>(0, -left())); }
  int64_t last() const { return std::max(first(), std::min(at_.kernel[2], at_.in[2] - left())); }

  // Of line i: whether its frame and row lie inside, and the index of its first tap, which may lie left of the row.
  bool there(int64_t i) const { return starts_[i] >= 0; }
  int64_t start(int64_t i) const { return starts_[i] + left() * pixel_; }
  int64_t pixel() const { return pixel_; }
  int64_t next_row() const { return at_.stride[1] * at_.in[2] * pixel_; }

 private:
  void enter_row() {
    const int64_t clip = row_ / (at_.out[1] * at_.out[0]);
    const int64_t t = row_ / at_.out[1] % at_.out[0] * at_.stride[0] - at_.padding[0];
    const int64_t h = row_ % at_.out[1] * at_.stride[1] - at_.padding[1];
    for (int64_t line = block_.first; line < block_.last; ++line) {
      const int64_t kt = line / at_.kernel[1] % at_.kernel[0], kh = line % at_.kernel[1];
      starts_[line - block_.first] = row_start(clip, line, t + kt, h + kh);
    }
  }

  int64_t row_start(int64_t clip, int64_t line, int64_t t, int64_t h) const {
    if (clip >= at_.batch || t < 0 || t >= at_.in[0] || h < 0 || h >= at_.in[1]) return -1;
    const int64_t plane = at_.planar ? clip * at_.in_channels + line / (at_.kernel[0] * at_.kernel[1]) : clip;
    return ((plane * at_.in[0] + t) * at_.in[1] + h) * at_.in[2] * pixel_;
  }

  const Conv3dShape& at_;
  const PatchBlock& block_;
  const int64_t pixel_;
  int64_t column_, row_;
  std::vector<int64_t> starts_;  // index of each line's pixel 0; -1 outside
};

struct RowSize {
  int64_t lines, length;
  int64_t floats() const { return lines * length; }
};

// One patch, whose lines are wholly inside or cut at the sides.
void gather_patch(const Walk& at, const RowSize& size, const float* x, float* row) {
  const int64_t begin = at.first() * at.pixel(), end = at.last() * at.pixel();
  for (int64_t i = 0; i < size.lines; ++i, row += size.length) {
    if (!at.there(i) || begin == end) {
      clear(row, size.length);
      continue;
    }
    clear(row, begin);
    copy(row + begin, x + at.start(i) + begin, end - begin);
    clear(row + end, size.length - end);
  }
}

// Lines of two to four floats are moved as four, for a run of positions line by line: a planar input's planes often lie
// a multiple of 4 KiB apart, and reading all of them for each position would throw them out of the cache in turn.
constexpr int64_t kFour = 4, kRun = 16;

int64_t run_length(const Conv3dShape& at, const Walk& walk, int64_t most, const RowSize& size) {
  if (size.length < 2 || size.length > kFour || walk.left() < 0 || walk.left() + kFour > at.in[2]) return 0;
  const int64_t readable = (at.in[2] - kFour - walk.left()) / at.stride[2] + 1;
  return std::min({kRun, most, walk.left_in_row(), walk.pixel() == 1 ? readable : 0});
}

template <int kFloats>
void copy_run(float* to, int64_t to_step, const float* from, int64_t from_step, int64_t positions) {
  for (int64_t j = 0; j < positions; ++j) copy(to + j * to_step, from + j * from_step, kFloats);
}

// The last line must not write beyond its end: the row behind it may be finished already.
void copy_line(float* to, int64_t to_step, const float* from, int64_t from_step, int64_t positions, int64_t floats) {
  if (floats == 4) return copy_run<4>(to, to_step, from, from_step, positions);
  if (floats == 3) return copy_run<3>(to, to_step, from, from_step, positions);
  copy_run<2>(to, to_step, from, from_step, positions);
}

// Asks for what the next row of positions will read.
void prefetch(const float* from, int64_t floats) {
  for (int64_t i = 0; i < floats; i += 16) __builtin_prefetch(from + i, 0, 2);
}

void gather_run(const Walk& at, int64_t positions, int64_t step, const RowSize& size, const float* x, float* row) {
  for (int64_t i = 0; i < size.lines; ++i, row += size.length) {
    if (!at.there(i)) {
      for (int64_t j = 0; j < positions; ++j) clear(row + j * size.floats(), size.length);
      continue;
    }
    const float* from = x + at.start(i);
    prefetch(from + at.next_row(), positions * step);
    copy_line(row, size.floats(), from, step, positions, i + 1 < size.lines ? kFour : size.length);
  }
}

}  // namespace

void gather_patches(const Conv3dShape& at, const float* x, const PatchBlock& block, float* rows) {
  const RowSize size{block.last - block.first, line_length(at)};
  Walk walk(at, block);
  for (int64_t position = block.begin; position < block.end;) {
    const int64_t run = run_length(at, walk, block.end - position, size), done = std::max<int64_t>(1, run);
    run > 0 ? gather_run(walk, run, at.stride[2], size, x, rows) : gather_patch(walk, size, x, rows);
    rows += done * size.floats();
    position += done;
    walk.advance(done);
  }
}

void scatter_patches(const Conv3dShape& at, const float* rows, const PatchBlock& block, float* dx) {
  const RowSize size{block.last - block.first, line_length(at)};
  Walk walk(at, block);
  for (int64_t position = block.begin; position < block.end; ++position, rows += size.floats(), walk.advance(1)) {
    const int64_t begin = walk.first() * walk.pixel(), end = walk.last() * walk.pixel();
    for (int64_t i = 0; i < size.lines; ++i)
      if (walk.there(i) && begin < end)
        add_row(dx + walk.start(i) + begin, rows + i * size.length + begin, end - begin);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
