// Helpers for kernels that work on rows of floats: loops over whole vectors with a masked tail, and fixed-order sums
// over rows.
#pragma once
#include <vector>

#include "cpu/blocks.h"
#include "cpu/simd/simd.h"

namespace morphmlp::MORPHMLP_ISA {

// body(offset, load, store) over a row of n floats: `load(p)` and `store(p, v)` touch kLanes floats, or the n that are
// left.
template <class F>
MORPHMLP_INLINE void for_lanes(int64_t n, F&& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    body(
        i, [](const float* p) { return load(p); }, [](float* p, V v) { store(p, v); });
  if (const int left = static_cast<int>(n - i))
    body(
        i, [left](const float* p) { return load_n(p, left); }, [left](float* p, V v) { store_n(p, v, left); });
}

// into[0..n) += from[0..n)
MORPHMLP_INLINE void add_row(float* into, const float* from, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(into + i, add(get(into + i), get(from + i))); });
}

// Asks for a row that will be read (or with kWrite written) soon; it need not exist.
template <bool kWrite = false>
MORPHMLP_INLINE void prefetch_row(const float* row, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(row + i, kWrite);
}

constexpr int64_t kSumRows = 64;  // most rows in one running fp32 sum

// body(begin, end, sums) for at most kSumRows rows at a time, each into sums of its own that are then added to `into`:
// long running sums lose digits. `width` floats; `into` starts at zero.
template <class F>
void add_rows_in_runs(int64_t begin, int64_t end, int64_t width, float* into, F&& body) {
  if (end - begin <= kSumRows) return body(begin, end, into);
  std::vector<float> run(static_cast<size_t>(width));
  for (int64_t row = begin; row < end; row += kSumRows) {
    std::fill(run.begin(), run.end(), 0.0f);
    body(row, std::min(end, row + kSumRows), run.data());
    add_row(into, run.data(), width);
  }
}

// Sums over rows in an order that depends on the number of rows alone: at most 128 blocks of rows are summed by the
// body into rows of `width` floats (zeroed first), then the blocks are added in order, in double.
template <class F>
void sum_over_rows(int64_t rows, int64_t width, float* total, F&& body) {
  const int64_t block = std::max<int64_t>(16, blocks_of(rows, 128));
  const int64_t count = blocks_of(rows, block);
  std::vector<float> partial(static_cast<size_t>(count * width), 0.0f);
  for_blocks(rows, block, [&](int64_t begin, int64_t end) {
    add_rows_in_runs(begin, end, width, partial.data() + begin / block * width, body);
  });
  for (int64_t c = 0; c < width; ++c) {
    double sum = 0;
    for (int64_t b = 0; b < count; ++b) sum += partial[b * width + c];
    total[c] = static_cast<float>(sum);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
