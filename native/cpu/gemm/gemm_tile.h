// The register tile: a kRows x kVecs*kLanes piece of C held in registers over one run of k; and the loop over the tiles
// of one panel. Used by gemm.cc and gemm_tn.cc.
#pragma once

#include <utility>

#include "gemm.h"

namespace morphmlp {
namespace MORPHMLP_ISA {

MORPHMLP_INLINE std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
MORPHMLP_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr std::int64_t kLineFloats = 16;  // in a cache line

// Part i of `total` cut into `parts` runs whose lengths differ by at most one: no thin last piece.
MORPHMLP_INLINE std::int64_t even_start(std::int64_t total, std::int64_t parts, std::int64_t i) {
  return total * i / parts;
}

// With nothing to sum over there is still a result.
inline void clear_rows(std::int64_t rows, std::int64_t n, float* c, std::int64_t ldc) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < n; ++j) c[r * ldc + j] = 0.0f;
  }
}

struct TileArgs {
  std::int64_t k;    // products to sum
  const float* a;    // first row (or, transposed, first column) of the tile
  std::int64_t lda;  // between rows of A in memory
  const float* b;    // packed panel, [k][kVecs * kLanes]
  float* c;          // first element of the tile
  std::int64_t ldc;
  int cols;  // valid columns, in (kLanes * (kVecs - 1), kLanes * kVecs]
  bool add;  // C += instead of C =
  // Memory to bring into L2 meanwhile, one line for each k: the panel that comes next.
  const float* ahead;
  std::int64_t ahead_step;
};

using TileFn = void (*)(const TileArgs&);

// The optimiser may assume nothing about x after this. Without it, compilers keep one pointer for each row of A, and
// there are more rows than registers.
template <class T>
MORPHMLP_INLINE void opaque(T& x) {
  asm("" : "+r"(x));
}

// Addresses of up to 14 rows from two pointers and three strides: [p], [p+s], [p+2s], [p+3s], [p+4s], [p+5s], [p+6s]
// are all one addressing mode away (indices scaled by 1, 2 or 4).
struct RowCursor {
  const char *low, *high;
  std::int64_t s, s3, s5;

  MORPHMLP_INLINE RowCursor(const float* a, std::int64_t lda) {
    low = reinterpret_cast<const char*>(a);
    s = lda * static_cast<std::int64_t>(sizeof(float));
    s3 = 3 * s;
    s5 = 5 * s;
    high = low + 7 * s;
  }
  MORPHMLP_INLINE float at(int row) const {
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
    return *reinterpret_cast<const float*>(p);
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

// The same for A read down its columns (gemm_tn): the rows of the tile lie next to each other.
struct ColumnCursor {
  const float* p;
  std::int64_t lda;

  MORPHMLP_INLINE ColumnCursor(const float* a, std::int64_t stride) : p(a), lda(stride) {}
  MORPHMLP_INLINE float at(int row) const { return p[row]; }
  MORPHMLP_INLINE void next() { p += lda; }
};

// The two questions are asked once a tile, not once a vector; the arguments are copied because vector stores may alias.
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

// The tile of C will be read and written at the end: fetch it while the products run.
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

template <int kRows, int kVecs, class Cursor>
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
  const float* ahead = t.ahead;
  const std::int64_t ahead_step = t.ahead_step;
  for (std::int64_t k = t.k; k > 0; --k) {
    V row_of_b[kVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) row_of_b[v] = load(b + v * kLanes);
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r) {
      const V x = set1(a.at(r));
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) sum[r][v] = fma(x, row_of_b[v], sum[r][v]);
    }
    __builtin_prefetch(ahead, 0, 2);
    ahead += ahead_step;
    b += kVecs * kLanes;
    a.next();
  }
  store_tile<kRows, kVecs>(sum, t);
}

template <int kVecs, class Cursor, std::size_t... kIndex>
TileFn pick_tile(std::int64_t rows, std::index_sequence<kIndex...>) {
  static constexpr TileFn table[] = {tile<static_cast<int>(kIndex) + 1, kVecs, Cursor>...};
  return table[rows - 1];
}

// Where the tiles of a column of tiles find their A: tile i, whose first row is r, at r * row_step + i * tile_step.
struct TileSteps {
  std::int64_t row_step, tile_step;
};

// What comes after the present panel: tile i of the first `tiles` fetches from start + i * tile_step on.
struct Ahead {
  const float* start;
  std::int64_t step, tile_step, tiles;
};

// Runs tiles down `rows` rows. Every height up to the tallest has its own tile: no row is computed for nothing.
template <class Cursor, int kVecs>
void run_column(TileArgs t, std::int64_t rows, TileSteps steps, const Ahead& ahead) {
  constexpr std::int64_t kTall = kVecs == 2 ? kTileRows : kNarrowTileRows;
  const std::int64_t tiles = ceil_div(rows, kTall);
  const float* a = t.a;
  float* c = t.c;
  for (std::int64_t i = 0, start = 0; i < tiles; ++i) {
    const std::int64_t end = even_start(rows, tiles, i + 1);
    const bool fetch = i < ahead.tiles;
    t.ahead = fetch ? ahead.start + i * ahead.tile_step : t.b;
    t.ahead_step = fetch ? ahead.step : 0;
    t.a = a + start * steps.row_step + i * steps.tile_step;
    t.c = c + start * t.ldc;
    pick_tile<kVecs, Cursor>(end - start, std::make_index_sequence<kTall>())(t);
    start = end;
  }
}

template <class Cursor>
void run_column(const TileArgs& t, std::int64_t rows, TileSteps steps, const Ahead& ahead) {
  if (t.cols > kLanes) return run_column<Cursor, 2>(t, rows, steps, ahead);
  run_column<Cursor, 1>(t, rows, steps, ahead);
}

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
