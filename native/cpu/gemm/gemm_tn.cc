#include <memory>

#include "gemm.h"
#include "gemm_tile.h"

namespace morphmlp {
namespace MORPHMLP_ISA {
namespace {

using std::int64_t;

constexpr int64_t kGroupFloats = 96 * 1024;  // of A per group of columns, so that the group stays in L2

constexpr int64_t kTileStep = (kTileRows + kLanes - 1) / kLanes * kLanes;  // one row of A in a packed tile

// Packing A pays if a tile uses only part of each cache line, from this many panels of B on.
constexpr bool kMayPack = kTileStep < kLineFloats;
constexpr int64_t kMinPackPanels = 20;

// Arguments of one block of the reduction dimension m.
template <class E>
struct ReductionBlock {
  int64_t m, k;
  const E* a;
  int64_t lda;
  const E* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  bool add;
};

// Scratch of the calling thread, aligned to 64 bytes and never freed before the thread ends.
float* thread_scratch() {
  static thread_local std::unique_ptr<float[]> memory;
  if (!memory) memory.reset(new float[kGroupFloats + kLineFloats]);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.get());
  return memory.get() + (64 - address % 64) % 64 / sizeof(float);
}

// Packs columns [first, first + rows) of A tile by tile, each [m][kTileStep]. Read in place, every tile would load
// whole cache lines and use a part of each, which saturates L2 bandwidth.
void pack_group(const ReductionBlock<float>& p, int64_t first, int64_t rows, float* out) {
  const int64_t tiles = ceil_div(rows, kTileRows);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t start = split_start(rows, tiles, i), count = split_start(rows, tiles, i + 1) - start;
    const float* a = p.a + first + start;
    for (int64_t r = 0; r < p.m; ++r, a += p.lda, out += kTileStep) {
      for (int64_t j = 0; j < count; j += kLanes) {
        store(out + j, load_n(a + j, static_cast<int>(min_of(kLanes, count - j))));
      }
    }
  }
}

void pack_panel(const ReductionBlock<float>& p, int64_t start, int64_t cols, float* panel) {
  pack_panels(p.b + start, cols, p.m, 1, p.ldb, panel, 0, 1);
}

#ifdef MORPHMLP_BF16_DOT

// The same for pairs of rows: here A must be packed, since its pairs are not adjacent in memory.
void pack_group(const ReductionBlock<Bf16>& p, int64_t first, int64_t rows, float* out) {
  const int64_t tiles = ceil_div(rows, kTileRows);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t start = split_start(rows, tiles, i), count = split_start(rows, tiles, i + 1) - start;
    const Bf16* a = p.a + first + start;
    for (int64_t r = 0; r < p.m; r += 2, a += 2 * p.lda, out += kTileStep) {
      const Bf16* odd = r + 1 < p.m ? a + p.lda : nullptr;
      for (int64_t j = 0; j < count; j += kLanes)
        store(out + j, pair_rows(a + j, odd ? odd + j : nullptr, static_cast<int>(min_of(kLanes, count - j))));
    }
  }
}

void pack_panel(const ReductionBlock<Bf16>& p, int64_t start, int64_t cols, float* panel) {
  const int64_t width = cols > kLanes ? kPanel : kLanes;
  for (int64_t r = 0; r < p.m; r += 2, panel += width) {
    const Bf16 *even = p.b + r * p.ldb + start, *odd = r + 1 < p.m ? even + p.ldb : nullptr;
    for (int64_t j = 0; j < cols; j += kLanes)
      store(panel + j, pair_rows(even + j, odd ? odd + j : nullptr, static_cast<int>(min_of(kLanes, cols - j))));
  }
}

#endif

// Computes rows [first, first + rows) of C, one panel of B after the other. packed_a is null if A is read in place.
template <class E>
void run_group(const ReductionBlock<E>& p, int64_t first, int64_t rows, const float* packed_a) {
  alignas(64) float panel[kSumLength * kPanel];
  constexpr int64_t kUnit = sizeof(float);
  const int64_t steps = steps_of<E>(p.m);
  for (int64_t start = 0; start < p.k; start += kPanel) {
    const int64_t cols = min_of(p.k - start, kPanel);
    pack_panel(p, start, cols, panel);
    const bool in_place = !packed_a || (std::is_same_v<E, float> && cols <= kLanes);
    TileArgs t;
    t.k = steps;
    t.half = false;
    t.a = in_place ? reinterpret_cast<const char*>(p.a + first) : reinterpret_cast<const char*>(packed_a);
    t.lda = (in_place ? p.lda : kTileStep) * kUnit;
    t.b = panel;
    t.c = p.c + first * p.ldc + start;
    t.ldc = p.ldc;
    t.cols = static_cast<int>(cols);
    t.add = p.add;
    const auto* next = reinterpret_cast<const float*>(p.b + start + kPanel);
    run_tiles<ColumnCursor, E>(t, rows, in_place ? TileSteps{kUnit, 0} : TileSteps{0, steps * kTileStep * kUnit},
                               {next, p.ldb, kLineFloats, ceil_div(kPanel, kLineFloats * kTogether<E>)});
  }
}

// Splits the rows into groups of whole tiles whose part of A fits kGroupFloats.
template <class E>
void run_reduction_block(const ReductionBlock<E>& p, int64_t first, int64_t last) {
  const int64_t rows = last - first, tiles = ceil_div(rows, kTileRows);
  const int64_t groups = ceil_div(tiles, kGroupFloats / (steps_of<E>(p.m) * kTileStep));
  const bool packs = std::is_same_v<E, Bf16> || (kMayPack && panel_count(p.k) >= kMinPackPanels);
  float* const scratch = packs ? thread_scratch() : nullptr;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t start = split_start(tiles, groups, group) * kTileRows;
    const int64_t end = min_of(rows, split_start(tiles, groups, group + 1) * kTileRows);
    if (scratch) pack_group(p, first + start, end - start, scratch);
    run_group(p, first + start, end - start, scratch);
  }
}

}  // namespace

// Loop order: blocks of m, groups of columns of A that stay in L2, panels of B. Each panel is packed once into an
// aligned buffer that all tiles of the group share, so the inner loop has no masks, split cache lines or distant pages.
template <class E>
void gemm_tn_block_rows(int64_t m, int64_t n, int64_t k, const E* a, int64_t lda, const E* b, int64_t ldb, float* c,
                        int64_t ldc, bool accumulate, int64_t first, int64_t last) {
  (void)n;
  if (m <= 0 && !accumulate) clear_rows(last - first, k, c + first * ldc, ldc);
  using Element = TileElement<E>;
  const auto *from = reinterpret_cast<const Element*>(a), *other = reinterpret_cast<const Element*>(b);
  const int64_t blocks = ceil_div(steps_of<E>(m), kSumLength);
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t m0 = split_start(m, blocks, i), m1 = split_start(m, blocks, i + 1);
    run_reduction_block<Element>({m1 - m0, k, from + m0 * lda, lda, other + m0 * ldb, ldb, c, ldc, accumulate || i > 0},
                                 first, last);
  }
}

template <class E>
void gemm_tn_block(int64_t m, int64_t n, int64_t k, const E* a, int64_t lda, const E* b, int64_t ldb, float* c,
                   int64_t ldc, bool accumulate) {
  gemm_tn_block_rows(m, n, k, a, lda, b, ldb, c, ldc, accumulate, 0, n);
}

template <class E>
void col_sum_block(int64_t m, int64_t n, const E* a, int64_t lda, float* out, bool accumulate) {
  constexpr int64_t kSumRows = 32;
  for (int64_t j = 0; j < n; j += kLanes) {
    const int cols = static_cast<int>(min_of(n - j, kLanes));
    V total = accumulate ? load_n(out + j, cols) : zero();
    for (int64_t i = 0; i < m; i += kSumRows) {
      const int64_t end = min_of(m, i + kSumRows);
      V sum = zero();
      for (int64_t r = i; r < end; ++r) sum = add(sum, load_n(a + r * lda + j, cols));
      total = add(total, sum);
    }
    store_n(out + j, total, cols);
  }
}

#define INSTANTIATE(E)                                                                                                 \
  template void gemm_tn_block_rows(int64_t, int64_t, int64_t, const E*, int64_t, const E*, int64_t, float*, int64_t,   \
                                   bool, int64_t, int64_t);                                                            \
  template void gemm_tn_block(int64_t, int64_t, int64_t, const E*, int64_t, const E*, int64_t, float*, int64_t, bool); \
  template void col_sum_block(int64_t, int64_t, const E*, int64_t, float*, bool);
FOR_OPERANDS(INSTANTIATE)

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
