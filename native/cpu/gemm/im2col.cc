#include "cpu/gemm/im2col.h"

#include <cstring>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

template <class T>
void copy(T* to, const T* from, int64_t n) {
  std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
}

template <class T>
void clear(T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = T{};
}

// Iterates over output positions in order and gives the input offset of each filter row.
class PositionCursor {
 public:
  PositionCursor(const Conv3dShape& at, const Im2colBlock& block)
      : at_(at),
        block_(block),
        pixel_(at.planar ? 1 : at.in_channels),
        column_(block.begin % at.out[2]),
        row_(block.begin / at.out[2]),
        starts_(static_cast<size_t>(block.last - block.first)) {
    enter_row();
  }

  // Advances by `positions`, at most to the beginning of the next output row.
  void advance(int64_t positions) {
    column_ += positions;
    if (column_ < at_.out[2]) return;
    column_ = 0;
    ++row_;
    enter_row();
  }
  int64_t left_in_row() const { return at_.out[2] - column_; }

  // Taps [first, last) of a filter row that are inside the input, in pixels: the same for all filter rows.
  int64_t left() const { return column_ * at_.stride[2] - at_.padding[2]; }
  int64_t first() const { return std::min(at_.kernel[2], std::max<int64_t>(0, -left())); }
  int64_t last() const { return std::max(first(), std::min(at_.kernel[2], at_.in[2] - left())); }

  // Whether the input row of filter row i exists, and the index of its first tap, which may be left of the input row.
  bool inside(int64_t i) const { return starts_[i] >= 0; }
  int64_t start(int64_t i) const { return starts_[i] + left() * pixel_; }
  int64_t pixel() const { return pixel_; }
  int64_t next_row() const { return at_.stride[1] * at_.in[2] * pixel_; }

 private:
  void enter_row() {
    const int64_t clip = row_ / (at_.out[1] * at_.out[0]);
    const int64_t t = row_ / at_.out[1] % at_.out[0] * at_.stride[0] - at_.padding[0];
    const int64_t h = row_ % at_.out[1] * at_.stride[1] - at_.padding[1];
    for (int64_t filter_row = block_.first; filter_row < block_.last; ++filter_row) {
      const int64_t kt = filter_row / at_.kernel[1] % at_.kernel[0], kh = filter_row % at_.kernel[1];
      starts_[filter_row - block_.first] = row_start(clip, filter_row, t + kt, h + kh);
    }
  }

  int64_t row_start(int64_t clip, int64_t filter_row, int64_t t, int64_t h) const {
    if (clip >= at_.batch || t < 0 || t >= at_.in[0] || h < 0 || h >= at_.in[1]) return -1;
    const int64_t plane = at_.planar ? clip * at_.in_channels + filter_row / (at_.kernel[0] * at_.kernel[1]) : clip;
    return ((plane * at_.in[0] + t) * at_.in[1] + h) * at_.in[2] * pixel_;
  }

  const Conv3dShape& at_;
  const Im2colBlock& block_;
  const int64_t pixel_;
  int64_t column_, row_;
  std::vector<int64_t> starts_;  // index of pixel 0 of each input row; -1 outside the input
};

struct RowSize {
  int64_t filter_rows, length;
  int64_t elements() const { return filter_rows * length; }
};

// One output position; its filter rows may cross the left and right borders.
template <class T>
void gather_position(const PositionCursor& at, const RowSize& size, const T* x, T* row) {
  const int64_t begin = at.first() * at.pixel(), end = at.last() * at.pixel();
  for (int64_t i = 0; i < size.filter_rows; ++i, row += size.length) {
    if (!at.inside(i) || begin == end) {
      clear(row, size.length);
      continue;
    }
    clear(row, begin);
    copy(row + begin, x + at.start(i) + begin, end - begin);
    clear(row + end, size.length - end);
  }
}

// Filter rows of two to four elements are copied as four, and one filter row is gathered for several positions at a
// time: the planes of a planar input are often a multiple of 4 KiB apart, so that reading all planes for each position
// would evict them from the cache in turn.
constexpr int64_t kCopyElements = 4, kMaxPositions = 16;

int64_t batch_positions(const Conv3dShape& at, const PositionCursor& cursor, int64_t most, const RowSize& size) {
  if (size.length < 2 || size.length > kCopyElements || cursor.left() < 0 || cursor.left() + kCopyElements > at.in[2])
    return 0;
  const int64_t readable = (at.in[2] - kCopyElements - cursor.left()) / at.stride[2] + 1;
  return std::min({kMaxPositions, most, cursor.left_in_row(), cursor.pixel() == 1 ? readable : 0});
}

template <int kElements, class T>
void copy_batch(T* to, int64_t to_step, const T* from, int64_t from_step, int64_t positions) {
  for (int64_t j = 0; j < positions; ++j) copy(to + j * to_step, from + j * from_step, kElements);
}

// The last filter row must not write past its end, since the next row may be complete.
template <class T>
void copy_filter_row(T* to, int64_t to_step, const T* from, int64_t from_step, int64_t positions, int64_t elements) {
  if (elements == 4) return copy_batch<4>(to, to_step, from, from_step, positions);
  if (elements == 3) return copy_batch<3>(to, to_step, from, from_step, positions);
  copy_batch<2>(to, to_step, from, from_step, positions);
}

// Prefetches the inputs of the next row of positions.
template <class T>
void prefetch(const T* from, int64_t elements) {
  for (int64_t i = 0; i < elements; i += static_cast<int64_t>(64 / sizeof(T))) __builtin_prefetch(from + i, 0, 2);
}

template <class T>
void gather_batch(const PositionCursor& at, int64_t positions, int64_t step, const RowSize& size, const T* x, T* row) {
  for (int64_t i = 0; i < size.filter_rows; ++i, row += size.length) {
    if (!at.inside(i)) {
      for (int64_t j = 0; j < positions; ++j) clear(row + j * size.elements(), size.length);
      continue;
    }
    const T* from = x + at.start(i);
    prefetch(from + at.next_row(), positions * step);
    copy_filter_row(row, size.elements(), from, step, positions,
                    i + 1 < size.filter_rows ? kCopyElements : size.length);
  }
}

}  // namespace

template <class T>
void im2col(const Conv3dShape& at, const T* x, const Im2colBlock& block, T* rows) {
  const RowSize size{block.last - block.first, filter_row_length(at)};
  PositionCursor cursor(at, block);
  for (int64_t position = block.begin; position < block.end;) {
    const int64_t batch = batch_positions(at, cursor, block.end - position, size), done = std::max<int64_t>(1, batch);
    batch > 0 ? gather_batch(cursor, batch, at.stride[2], size, x, rows) : gather_position(cursor, size, x, rows);
    rows += done * size.elements();
    position += done;
    cursor.advance(done);
  }
}

template void im2col(const Conv3dShape&, const float*, const Im2colBlock&, float*);
template void im2col(const Conv3dShape&, const Bf16*, const Im2colBlock&, Bf16*);

void col2im(const Conv3dShape& at, const float* rows, const Im2colBlock& block, float* dx) {
  const RowSize size{block.last - block.first, filter_row_length(at)};
  PositionCursor cursor(at, block);
  for (int64_t position = block.begin; position < block.end; ++position, rows += size.elements(), cursor.advance(1)) {
    const int64_t begin = cursor.first() * cursor.pixel(), end = cursor.last() * cursor.pixel();
    for (int64_t i = 0; i < size.filter_rows; ++i)
      if (cursor.inside(i) && begin < end)
        add_row(dx + cursor.start(i) + begin, rows + i * size.length + begin, end - begin);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
