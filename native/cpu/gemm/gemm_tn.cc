#include <memory>

#include "gemm.h"
#include "gemm_tile.h"

namespace morphmlp {
namespace MORPHMLP_ISA {
namespace {

using std::int64_t;

constexpr int64_t kGroupFloats = 96 * 1024;  // of A that a group of columns may take: stays in L2

constexpr int64_t kTileStep = (kTileRows + kLanes - 1) / kLanes * kLanes;  // one row of A in a packed tile

// Packing A pays where a tile uses only a part of each cache line, and from this many panels of B on.
constexpr bool kMayPack = kTileStep < kLineFloats;
constexpr int64_t kPackFrom = 20;

// One piece of m: what all its groups share.
struct Piece {
  int64_t m, k;
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  bool add;
};

// Scratch that a thread makes once and keeps.
float* thread_scratch() {
  static thread_local std::unique_ptr<float[]> memory;
  if (!memory) memory.reset(new float[kGroupFloats + kLineFloats]);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.get());
  return memory.get() + (64 - address % 64) % 64 / sizeof(float);
}

// Columns [first, first + rows) of A, tile by tile, each [m][kTileStep]: read in place, a tile would drag in whole
// cache lines for a part of each, again and again, and that is what fills the path from L2.
void pack_group(const Piece& p, int64_t first, int64_t rows, float* out) {
  const int64_t tiles = ceil_div(rows, kTileRows);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t start = even_start(rows, tiles, i), count = even_start(rows, tiles, i + 1) - start;
    const float* a = p.a + first + start;
    for (int64_t r = 0; r < p.m; ++r, a += p.lda, out += kTileStep) {
      for (int64_t j = 0; j < count; j += kLanes) {
        store(out + j, load_n(a + j, static_cast<int>(least(kLanes, count - j))));
      }
    }
  }
}

// Rows [first, first + rows) of C, with the panels of B one after the other.
void run_group(const Piece& p, int64_t first, int64_t rows, const float* packed_a) {
  alignas(64) float panel[kSumLength * kPanel];
  for (int64_t start = 0; start < p.k; start += kPanel) {
    const int64_t cols = least(p.k - start, kPanel);
    pack_panels(p.b + start, cols, p.m, 1, p.ldb, panel, 0, 1);
    const bool in_place = !packed_a || cols <= kLanes;
    TileArgs t;
    t.k = p.m;
    t.a = in_place ? p.a + first : packed_a;
    t.lda = in_place ? p.lda : kTileStep;
    t.b = panel;
    t.c = p.c + first * p.ldc + start;
    t.ldc = p.ldc;
    t.cols = static_cast<int>(cols);
    t.add = p.add;
    run_column<ColumnCursor>(t, rows, in_place ? TileSteps{1, 0} : TileSteps{0, p.m * kTileStep},
                             {p.b + start + kPanel, p.ldb, kLineFloats, ceil_div(kPanel, kLineFloats)});
  }
}

// Groups of whole tiles whose part of A fits kGroupFloats, packed or not.
void run_piece(const Piece& p, int64_t first, int64_t last) {
  const int64_t rows = last - first, tiles = ceil_div(rows, kTileRows);
  const int64_t groups = ceil_div(tiles, kGroupFloats / (p.m * kTileStep));
  float* const scratch = kMayPack && panel_count(p.k) >= kPackFrom ? thread_scratch() : nullptr;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t start = even_start(tiles, groups, group) * kTileRows;
    const int64_t end = least(rows, even_start(tiles, groups, group + 1) * kTileRows);
    if (scratch) pack_group(p, first + start, end - start, scratch);
    run_group(p, first + start, end - start, scratch);
  }
}

}  // namespace

// Order: pieces of m outside, then groups of columns of A that stay in L2, then panels of B, copied once into an
// aligned contiguous piece that all tiles down the group share: no masks, split lines or far pages in the inner loop.
void gemm_tn_block_rows(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
                        float* c, int64_t ldc, bool accumulate, int64_t first, int64_t last) {
  (void)n;
  if (m <= 0 && !accumulate) clear_rows(last - first, k, c + first * ldc, ldc);
  const int64_t pieces = ceil_div(m, kSumLength);
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t m0 = even_start(m, pieces, i), m1 = even_start(m, pieces, i + 1);
    run_piece({m1 - m0, k, a + m0 * lda, lda, b + m0 * ldb, ldb, c, ldc, accumulate || i > 0}, first, last);
  }
}

void gemm_tn_block(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c,
                   int64_t ldc, bool accumulate) {
  gemm_tn_block_rows(m, n, k, a, lda, b, ldb, c, ldc, accumulate, 0, n);
}

void col_sum_block(int64_t m, int64_t n, const float* a, int64_t lda, float* out, bool accumulate) {
  constexpr int64_t kRun = 32;
  for (int64_t j = 0; j < n; j += kLanes) {
    const int cols = static_cast<int>(least(n - j, kLanes));
    V total = accumulate ? load_n(out + j, cols) : zero();
    for (int64_t i = 0; i < m; i += kRun) {
      const int64_t end = least(m, i + kRun);
      V run = zero();
      for (int64_t r = i; r < end; ++r) run = add(run, load_n(a + r * lda + j, cols));
      total = add(total, run);
    }
    store_n(out + j, total, cols);
  }
}

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
