// Loops over rows of floats in whole vectors with a masked tail, and sums over rows in a fixed order.
#pragma once
#include <vector>

#include "cpu/blocks.h"
#include "cpu/simd/simd.h"

namespace morphmlp::MORPHMLP_ISA {

// Calls body(offset, load, store) for each vector of a row of n floats. `load(p)` and `store(p, v)` access kLanes
// floats, or the remaining ones in the tail.
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

// Prefetches a row for reading, or for writing if kWrite. The address need not be valid.
template <bool kWrite = false>
MORPHMLP_INLINE void prefetch_row(const float* row, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(row + i, kWrite);
}

constexpr int64_t kSumRows = 64;  // maximum number of rows in one running fp32 sum

// Calls body(begin, end, sums) for blocks of at most kSumRows rows and adds the sums of each to `into`, which limits
// the rounding error of long sums. Sums have `width` floats; `into` must be zero.
template <class F>
void sum_row_blocks(int64_t begin, int64_t end, int64_t width, float* into, F&& body) {
  if (end - begin <= kSumRows) return body(begin, end, into);
  std::vector<float> sums(static_cast<size_t>(width));
  for (int64_t row = begin; row < end; row += kSumRows) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    body(row, std::min(end, row + kSumRows), sums.data());
    add_row(into, sums.data(), width);
  }
}

// Sums over rows in an order that depends on the number of rows alone. The body sums at most 128 blocks of rows into
// `width` zeroed floats each; the blocks are then added in order, in double.
template <class F>
void sum_over_rows(int64_t rows, int64_t width, float* total, F&& body) {
  const int64_t block = std::max<int64_t>(16, blocks_of(rows, 128));
  const int64_t count = blocks_of(rows, block);
  std::vector<float> partial(static_cast<size_t>(count * width), 0.0f);
  for_blocks(rows, block, [&](int64_t begin, int64_t end) {
    sum_row_blocks(begin, end, width, partial.data() + begin / block * width, body);
  });
  for (int64_t c = 0; c < width; ++c) {
    double sum = 0;
    for (int64_t b = 0; b < count; ++b) sum += partial[b * width + c];
    total[c] = static_cast<float>(sum);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
