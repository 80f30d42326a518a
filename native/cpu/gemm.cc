#include "gemm.h"

#include <chrono>
#include <utility>

#include "gemm_tile.h"

namespace morphmlp {
namespace MORPHMLP_ISA {
namespace {

using std::int64_t;

MORPHMLP_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
MORPHMLP_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr int64_t kLineFloats = 16;  // in a cache line

// Part i of `total` cut into `parts` runs whose lengths differ by at most one: no thin last piece.
MORPHMLP_INLINE int64_t even_start(int64_t total, int64_t parts, int64_t i) { return total * i / parts; }

// --- tiles ------------------------------------------------------------------------------------------------------

template <int kVecs, class Cursor, std::size_t... kIndex>
TileFn pick_tile(int64_t rows, std::index_sequence<kIndex...>) {
  static constexpr TileFn table[] = {tile<static_cast<int>(kIndex) + 1, kVecs, Cursor>...};
  return table[rows - 1];
}

// What comes after the present panel: tile i of the first `tiles` fetches from start + i * tile_step on.
struct Ahead {
  const float* start;
  int64_t step, tile_step, tiles;
};

// Runs tiles down the rows [first, last); `row_step` is from one row of the tile's A to the next. Every height up to
// the tallest has its own tile: no row is computed for nothing.
template <class Cursor, int kVecs>
void run_column(TileArgs t, int64_t first, int64_t last, int64_t row_step, const Ahead& ahead) {
  constexpr int64_t kTall = kVecs == 2 ? kTileRows : kNarrowTileRows;
  const int64_t rows = last - first, tiles = ceil_div(rows, kTall);
  const float* a = t.a;
  float* c = t.c;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t start = first + even_start(rows, tiles, i), end = first + even_start(rows, tiles, i + 1);
    const bool fetch = i < ahead.tiles;
    t.ahead = fetch ? ahead.start + i * ahead.tile_step : t.b;
    t.ahead_step = fetch ? ahead.step : 0;
    t.a = a + start * row_step;
    t.c = c + start * t.ldc;
    pick_tile<kVecs, Cursor>(end - start, std::make_index_sequence<kTall>())(t);
  }
}

template <class Cursor>
void run_column(const TileArgs& t, int64_t first, int64_t last, int64_t row_step, const Ahead& ahead) {
  if (t.cols > kLanes) return run_column<Cursor, 2>(t, first, last, row_step, ahead);
  run_column<Cursor, 1>(t, first, last, row_step, ahead);
}

// --- packing ----------------------------------------------------------------------------------------------------

// out[kk][j] for kLanes rows of w that are contiguous in k: 4 x 4 transpositions inside each 128-bit part, whose four
// loads are spread over the parts so that the columns come out in order.
void pack_rows(const float* w, int64_t k, int64_t row_stride, float* out, int64_t width) {
  int64_t kk = 0;
  for (; kk + 4 <= k; kk += 4, out += 4 * width) {
    const float* p = w + kk;
    const V r0 = load_quads(p, 4 * row_stride), r1 = load_quads(p + row_stride, 4 * row_stride);
    const V r2 = load_quads(p + 2 * row_stride, 4 * row_stride), r3 = load_quads(p + 3 * row_stride, 4 * row_stride);
    const V a = unpack_lo(r0, r1), b = unpack_hi(r0, r1), c = unpack_lo(r2, r3), d = unpack_hi(r2, r3);
    store(out, pairs_lo(a, c));
    store(out + width, pairs_hi(a, c));
    store(out + 2 * width, pairs_lo(b, d));
    store(out + 3 * width, pairs_hi(b, d));
  }
  for (; kk < k; ++kk, out += width) {
    for (int j = 0; j < kLanes; ++j) out[j] = w[j * row_stride + kk];
  }
}

// out[kk][j] where the n <= kLanes columns are contiguous in w.
void pack_columns(const float* w, int64_t n, int64_t k, int64_t col_stride, float* out, int64_t width) {
  for (int64_t kk = 0; kk < k; ++kk) {
    store(out + kk * width, load_n(w + kk * col_stride, static_cast<int>(n)));
  }
}

void pack_any(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out, int64_t width) {
  for (int64_t kk = 0; kk < k; ++kk) {
    for (int64_t j = 0; j < kLanes; ++j) {
      out[kk * width + j] = j < n ? w[j * row_stride + kk * col_stride] : 0.0f;
    }
  }
}

// One vector's worth of columns of a panel.
void pack_lanes(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out,
                int64_t width) {
  if (n <= 0) return pack_any(w, 0, k, row_stride, col_stride, out, width);
  if (row_stride == 1) return pack_columns(w, n, k, col_stride, out, width);
  if (col_stride == 1 && n == kLanes) return pack_rows(w, k, row_stride, out, width);
  pack_any(w, n, k, row_stride, col_stride, out, width);
}

}  // namespace

void pack_panels(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out,
                 int64_t first, int64_t last) {
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t start = panel * kPanel, cols = least(n - start, kPanel), width = cols > kLanes ? kPanel : kLanes;
    for (int64_t j = 0; j < width; j += kLanes) {
      pack_lanes(w + (start + j) * row_stride, least(cols - j, kLanes), k, row_stride, col_stride, out + start * k + j,
                 width);
    }
  }
}

void pack_weight(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out) {
  pack_panels(w, n, k, row_stride, col_stride, out, 0, panel_count(n));
}

// --- products ---------------------------------------------------------------------------------------------------

namespace {

// With nothing to sum over there is still a result.
void clear_rows(int64_t rows, int64_t n, float* c, int64_t ldc) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) c[r * ldc + j] = 0.0f;
  }
}

}  // namespace

// Order: panels of B outside, pieces of k, then tiles down the rows. So a piece of a panel (up to 32 KB) is used for
// all rows while it is in L1/L2, each weight is read from memory once a call, and A (the caller's block) stays in L2.
void gemm_block_panels(int64_t rows, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                       int64_t ldc, bool accumulate, int64_t first, int64_t last) {
  const int64_t end = least(n, last * kPanel);
  if (k <= 0 && !accumulate && end > first * kPanel) clear_rows(rows, end - first * kPanel, c + first * kPanel, ldc);
  const int64_t pieces = ceil_div(k, kSumLength);
  for (int64_t start = first * kPanel; start < end; start += kPanel) {
    const int64_t cols = least(n - start, kPanel), width = cols > kLanes ? kPanel : kLanes;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t k0 = even_start(k, pieces, piece), k1 = even_start(k, pieces, piece + 1);
      TileArgs t;
      t.k = k1 - k0;
      t.a = a + k0;
      t.lda = lda;
      t.b = packed + start * k + k0 * width;
      t.c = c + start;
      t.ldc = ldc;
      t.cols = static_cast<int>(cols);
      t.add = accumulate || piece > 0;
      const int64_t lines = ceil_div(width, kLineFloats);
      run_column<RowCursor>(t, 0, rows, lda, {t.b + t.k * width, kLineFloats, t.k * kLineFloats, lines});
    }
  }
}

void gemm_block(int64_t rows, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                int64_t ldc, bool accumulate) {
  gemm_block_panels(rows, n, k, a, lda, packed, c, ldc, accumulate, 0, panel_count(n));
}

// Order: pieces of m outside (their A and B stay in L2), then panels of B, copied once into an aligned contiguous piece
// that all tiles down the rows of C share: no masks, split lines or far pages in the inner loop.
void gemm_tn_block_rows(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
                        float* c, int64_t ldc, bool accumulate, int64_t first, int64_t last) {
  (void)n;
  if (m <= 0 && !accumulate) clear_rows(last - first, k, c + first * ldc, ldc);
  alignas(64) float panel[kSumLength * kPanel];
  const int64_t pieces = ceil_div(m, kSumLength);
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t m0 = even_start(m, pieces, piece), m1 = even_start(m, pieces, piece + 1);
    for (int64_t start = 0; start < k; start += kPanel) {
      pack_panels(b + m0 * ldb + start, least(k - start, kPanel), m1 - m0, 1, ldb, panel, 0, 1);
      TileArgs t;
      t.k = m1 - m0;
      t.a = a + m0 * lda;
      t.lda = lda;
      t.b = panel;
      t.c = c + start;
      t.ldc = ldc;
      t.cols = static_cast<int>(least(k - start, kPanel));
      t.add = accumulate || piece > 0;
      run_column<ColumnCursor>(t, first, last, 1,
                               {b + m0 * ldb + start + kPanel, ldb, kLineFloats, ceil_div(kPanel, kLineFloats)});
    }
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

// --- the limit --------------------------------------------------------------------------------------------------

namespace {

// Enough independent chains to hide the latency; without fused operations, as many products as sums.
constexpr int kChains = 12;
constexpr std::int64_t kRounds = 20000;

MORPHMLP_INLINE void peak_step(V (&x)[kChains], V scale, V shift) {
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) {
    if (kHasFma) {
      x[i] = fma(x[i], scale, shift);
    } else {
      x[i] = i % 2 ? mul(x[i], scale) : add(x[i], shift);
    }
  }
}

float peak_round(float scale, float shift) {
  V x[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) x[i] = set1(static_cast<float>(i));
  const V s = set1(scale), t = set1(shift);
  for (int64_t round = 0; round < kRounds; ++round) {
    peak_step(x, s, t);
    peak_step(x, s, t);
  }
  V total = x[0];
  for (int i = 1; i < kChains; ++i) total = add(total, x[i]);
  return hsum(total);
}

}  // namespace

double fma_peak(double seconds) {
  using Clock = std::chrono::steady_clock;
  const double flops = static_cast<double>(kRounds) * 2 * kChains * kLanes * (kHasFma ? 2 : 1);
  volatile float sink = 0.0f;
  double best = 0.0, spent = 0.0;
  while (spent < seconds) {
    const auto start = Clock::now();
    sink = sink + peak_round(0.999f, 0.001f);
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    spent += elapsed;
    if (flops / elapsed > best) best = flops / elapsed;
  }
  return best * 1e-9;
}

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
