// The register tile of gemm.cc: a kRows x kVecs*kLanes piece of C held in registers over one run of k.
#pragma once

#include "gemm.h"

namespace morphmlp {
namespace MORPHMLP_ISA {

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
  asm volatile("" : "+r"(x));
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

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
