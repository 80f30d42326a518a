// Loops over rows of floats in whole vectors with a masked tail, and sums over rows in a fixed order.
#pragma once
#include <cstring>
#include <vector>

#include "cpu/blocks.h"
#include "cpu/simd/simd.h"

namespace morphmlp::MORPHMLP_ISA {

// Calls body(offset, load, store) for each vector of a row of n elements. `load(p)` and `store(p, v)` access kLanes
// elements, or the remaining ones in the tail, and convert the type of p to and from float.
template <class F>
MORPHMLP_INLINE void for_lanes(int64_t n, F&& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    body(
        i, [](const auto* p) { return load(p); }, [](auto* p, V v) { store(p, v); });
  if (const int left = static_cast<int>(n - i))
    body(
        i, [left](const auto* p) { return load_n(p, left); }, [left](auto* p, V v) { store_n(p, v, left); });
}

// into[0..n) += from[0..n)
template <class T>
MORPHMLP_INLINE void add_row(float* into, const T* from, int64_t n) {
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(into + i, add(get(into + i), get(from + i))); });
}

// to[0..n) = from[0..n), which may be of another type, or zero.
template <class To, class From>
MORPHMLP_INLINE void copy_row(To* to, const From* from, int64_t n) {
  if constexpr (std::is_same_v<To, From>) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(To));
  } else {
    for_lanes(n, [&](int64_t i, auto get, auto put) { put(to + i, get(from + i)); });
  }
}
template <class T>
void clear_row(T* row, int64_t n) {
  std::memset(row, 0, static_cast<size_t>(n) * sizeof(T));
}

// Prefetches a row for reading, or for writing if kWrite. The address need not be valid.
template <bool kWrite = false, class T>
MORPHMLP_INLINE void prefetch_row(const T* row, int64_t n) {
  for (int64_t i = 0; i < n; i += static_cast<int64_t>(64 / sizeof(T))) __builtin_prefetch(row + i, kWrite);
}

// scratch() for n elements of type E.
template <class E>
E* scratch_of(int slot, int64_t n) {
  return reinterpret_cast<E*>(scratch(slot, blocks_of(n * static_cast<int64_t>(sizeof(E)), sizeof(float))));
}

// Rows of floats that become rows of E in the same memory: row i of n elements then starts at i * kNarrowed<E> * n.
template <class E>
constexpr int64_t kNarrowed = sizeof(float) / sizeof(E);
template <class E>
E* narrowed(float* rows) {
  return reinterpret_cast<E*>(rows);
}

// Converts the results of a GEMM to the operand of the next one, in place.
template <class E>
const E* narrow_rows(float* rows, int64_t count, int64_t n) {
  E* to = narrowed<E>(rows);
  for (int64_t i = 0; !std::is_same_v<E, float> && i < count; ++i) copy_row(to + i * kNarrowed<E> * n, rows + i * n, n);
  return to;
}

// n activations as the operand of a GEMM: themselves, or a copy in scratch.
template <class T>
const Operand<T>* operand_of(const T* x, int64_t n, int slot) {
  if constexpr (std::is_same_v<T, Operand<T>>) return x;
  auto* copy = scratch_of<Operand<T>>(slot, n);
  copy_row(copy, x, n);
  return copy;
}

// Where a GEMM writes n results for the tensor y: to y itself, or to scratch. store_results() then rounds them to y.
template <class T>
float* results_for(T* y, int64_t n, int slot) {
  if constexpr (std::is_same_v<T, float>) return y;
  return scratch(slot, n);
}
template <class T>
void store_results(const float* results, int64_t n, T* y) {
  if constexpr (!std::is_same_v<T, float>) copy_row(y, results, n);
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
