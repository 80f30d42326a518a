// The microkernel, which accumulates a register tile of kRows x kVecs*kLanes of C over one k-block, and the loop over
// the tiles of a panel. Used by gemm.cc and gemm_tn.cc.
//
// A step of the reduction is a product of floats, or two products of bf16 where an instruction adds these (Step). All
// operands are read in units of 32 bits: a float or a pair.
#pragma once

#include <utility>

#include "gemm.h"

namespace morphmlp {
namespace MORPHMLP_ISA {

// Not std::min: the linker keeps one copy of the standard library's functions for all instruction sets.
MORPHMLP_INLINE std::int64_t min_of(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
MORPHMLP_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr std::int64_t kLineFloats = 16;  // per cache line

// Start of part i if `total` is split into `parts` parts whose sizes differ by at most one.
MORPHMLP_INLINE std::int64_t split_start(std::int64_t total, std::int64_t parts, std::int64_t i) {
  return total * i / parts;
}

// The result of a GEMM with k = 0.
inline void clear_rows(std::int64_t rows, std::int64_t n, float* c, std::int64_t ldc) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < n; ++j) c[r * ldc + j] = 0.0f;
  }
}

// The arithmetic of one step on elements of type E: a unit of A and a vector of them of B.
template <class E>
struct Step {
  static MORPHMLP_INLINE V run(float a, V b, V sum) { return fma(set1(a), b, sum); }
};
#ifdef MORPHMLP_BF16_DOT
template <>
struct Step<Bf16> {
  static MORPHMLP_INLINE V run(float a, V b, V sum) { return dot_pairs(a, b, sum); }
};
#endif

// The element type of the tiles that multiply operands of type E.
template <class E>
using TileElement = std::conditional_t<std::is_same_v<E, Bf16>, Bf16, float>;

// Instantiates `function` for the operand types of this instruction set.
#ifdef MORPHMLP_BF16_DOT
#define FOR_OPERANDS(function) function(float) function(Bf16)
#else
#define FOR_OPERANDS(function) function(float) function(Rounded)
#endif

struct TileArgs {
  std::int64_t k;    // steps of the reduction
  bool half;         // another step follows with the first element of a pair
  const char* a;     // first row of the tile (first column if A is transposed)
  std::int64_t lda;  // leading dimension of A, in bytes
  const float* b;    // packed panel, [k][kVecs * kLanes]
  float* c;          // first element of the tile
  std::int64_t ldc;
  int cols;  // valid columns, in (kLanes * (kVecs - 1), kLanes * kVecs]
  bool add;  // C += instead of C =
  // Prefetched into L2, one cache line per k: the next panel.
  const float* prefetch;
  std::int64_t prefetch_step;
};

using TileFn = void (*)(const TileArgs&);

// Hides the value of x from the optimiser. Without it, compilers keep one pointer per row of A, and there are more rows
// than registers.
template <class T>
MORPHMLP_INLINE void opaque(T& x) {
  asm("" : "+r"(x));
}

MORPHMLP_INLINE float unit_at(const char* p) {
  float unit;
  std::memcpy(&unit, p, sizeof(unit));
  return unit;
}

// Addresses up to 14 rows by two pointers and three strides: [p], [p+s], [p+2s], [p+3s], [p+4s], [p+5s] and [p+6s] each
// take one addressing mode (an index scaled by 1, 2 or 4).
struct RowCursor {
  const char *low, *high;
  std::int64_t s, s3, s5;

  MORPHMLP_INLINE RowCursor(const char* a, std::int64_t lda) {
    low = a;
    s = lda;
    s3 = 3 * s;
    s5 = 5 * s;
    high = low + 7 * s;
  }
  MORPHMLP_INLINE float at(int row) const { return unit_at(address(row)); }
  // The first element of a pair, and 0.
  MORPHMLP_INLINE float half_at(int row) const {
    std::uint16_t bits;
    std::memcpy(&bits, address(row), sizeof(bits));
    const std::uint32_t pair = bits;
    return unit_at(reinterpret_cast<const char*>(&pair));
  }
  MORPHMLP_INLINE const char* address(int row) const {
    const char* p = row < 7 ? low : high;
    switch (row % 7) {
      case 1:
        p += s;
        break;
      case 2:
        p += 2 * s;
        break;
      case 3:
        p += s3;
        break;
      case 4:
        p += 4 * s;
        break;
      case 5:
        p += s5;
        break;
      case 6:
        p += 2 * s3;
        break;
    }
    return p;
  }
  MORPHMLP_INLINE void next() {
    low += sizeof(float);
    high += sizeof(float);
    opaque(low);
    opaque(high);
    opaque(s);
    opaque(s3);
    opaque(s5);
  }
};

// Cursor for transposed A (gemm_tn): the rows of the tile are contiguous.
struct ColumnCursor {
  const char* p;
  std::int64_t lda;

  MORPHMLP_INLINE ColumnCursor(const char* a, std::int64_t stride) : p(a), lda(stride) {}
  MORPHMLP_INLINE float at(int row) const { return unit_at(p + row * static_cast<std::int64_t>(sizeof(float))); }
  MORPHMLP_INLINE float half_at(int row) const { return at(row); }  // packed columns are whole pairs
  MORPHMLP_INLINE void next() { p += lda; }
};

// Branches once per tile, not once per vector. The arguments are copied because vector stores may alias them.
template <int kRows, int kVecs>
MORPHMLP_INLINE void store_tile(V (&sum)[kRows][kVecs], const TileArgs& t) {
  float* const c = t.c;
  const std::int64_t ldc = t.ldc;
  const int last = kVecs - 1, tail = t.cols - kLanes * last;
  if (t.add) {
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r) {
      if (kVecs > 1) sum[r][0] = add(load(c + r * ldc), sum[r][0]);
      sum[r][last] = add(load_n(c + r * ldc + kLanes * last, tail), sum[r][last]);
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < kRows; ++r) {
    if (kVecs > 1) store(c + r * ldc, sum[r][0]);
    if (tail == kLanes) {
      store(c + r * ldc + kLanes * last, sum[r][last]);
    } else {
      store_n(c + r * ldc + kLanes * last, sum[r][last], tail);
    }
  }
}

// Prefetches the tile of C, which is read and written after the accumulation.
template <int kRows>
MORPHMLP_INLINE void prefetch_tile(const TileArgs& t) {
  const float* c = t.c;
#pragma GCC unroll 1
  for (int r = 0; r < kRows; ++r, c += t.ldc) {
    __builtin_prefetch(c, 1);
    if (kPanel > 16) __builtin_prefetch(c + 16, 1);
    __builtin_prefetch(c + t.cols - 1, 1);
  }
}

template <int kRows, int kVecs, class Cursor, class E>
void tile(const TileArgs& t) {
  V sum[kRows][kVecs];
#pragma GCC unroll 32
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) sum[r][v] = zero();
  }
  if (t.add) prefetch_tile<kRows>(t);
  Cursor a(t.a, t.lda);
  const float* b = t.b;
  const float* prefetch = t.prefetch;
  const std::int64_t prefetch_step = t.prefetch_step;
  for (std::int64_t k = t.k; k > 0; --k) {
    V b_row[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) b_row[v] = load(b + v * kLanes);
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r) {
      const float x = a.at(r);
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) sum[r][v] = Step<E>::run(x, b_row[v], sum[r][v]);
    }
    __builtin_prefetch(prefetch, 0, 2);
    prefetch += prefetch_step;
    b += kVecs * kLanes;
    a.next();
  }
  if constexpr (!std::is_same_v<E, float>) {
    if (t.half) {
#pragma GCC unroll 32
      for (int r = 0; r < kRows; ++r) {
        const float x = a.half_at(r);
#pragma GCC unroll 2
        for (int v = 0; v < kVecs; ++v) sum[r][v] = Step<E>::run(x, load(b + v * kLanes), sum[r][v]);
      }
    }
  }
  store_tile<kRows, kVecs>(sum, t);
}

template <int kVecs, class Cursor, class E, std::size_t... kIndex>
TileFn select_tile(std::int64_t rows, std::index_sequence<kIndex...>) {
  static constexpr TileFn table[] = {tile<static_cast<int>(kIndex) + 1, kVecs, Cursor, E>...};
  return table[rows - 1];
}

// Offsets of A in bytes: tile i, whose first row is r, reads A at r * row_step + i * tile_step.
struct TileSteps {
  std::int64_t row_step, tile_step;
};

// Prefetch of the next panel: tile i of the first `tiles` prefetches from start + i * tile_step.
struct Prefetch {
  const float* start;
  std::int64_t step, tile_step, tiles;
};

// Runs the tiles of `rows` rows. There is a microkernel for every height up to the tallest, so no padding is computed.
template <class Cursor, class E, int kVecs>
void run_tiles(TileArgs t, std::int64_t rows, TileSteps steps, const Prefetch& prefetch) {
  constexpr std::int64_t kTall = kVecs == 2 ? kTileRows : kNarrowTileRows;
  const std::int64_t tiles = ceil_div(rows, kTall);
  const char* a = t.a;
  float* c = t.c;
  for (std::int64_t i = 0, start = 0; i < tiles; ++i) {
    const std::int64_t end = split_start(rows, tiles, i + 1);
    const bool fetch = i < prefetch.tiles;
    t.prefetch = fetch ? prefetch.start + i * prefetch.tile_step : t.b;
    t.prefetch_step = fetch ? prefetch.step : 0;
    t.a = a + start * steps.row_step + i * steps.tile_step;
    t.c = c + start * t.ldc;
    select_tile<kVecs, Cursor, E>(end - start, std::make_index_sequence<kTall>())(t);
    start = end;
  }
}

template <class Cursor, class E>
void run_tiles(const TileArgs& t, std::int64_t rows, TileSteps steps, const Prefetch& prefetch) {
  if (t.cols > kLanes) return run_tiles<Cursor, E, 2>(t, rows, steps, prefetch);
  run_tiles<Cursor, E, 1>(t, rows, steps, prefetch);
}

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
