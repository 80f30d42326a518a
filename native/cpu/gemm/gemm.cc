#include "gemm.h"

#include "gemm_tile.h"

namespace morphmlp {
namespace MORPHMLP_ISA {
namespace {

using std::int64_t;

// out[kk][j] for kLanes rows of w that are contiguous in k. Transposes 4 x 4 blocks in each 128-bit lane; load_quads
// distributes the rows over the lanes so that the columns come out in order.
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

// out[kk][j] for n <= kLanes columns that are contiguous in w.
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

// Packs up to kLanes columns of a panel.
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
    const int64_t start = panel * kPanel, cols = min_of(n - start, kPanel), width = cols > kLanes ? kPanel : kLanes;
    for (int64_t j = 0; j < width; j += kLanes) {
      pack_lanes(w + (start + j) * row_stride, min_of(cols - j, kLanes), k, row_stride, col_stride, out + start * k + j,
                 width);
    }
  }
}

void pack_weight(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out) {
  pack_panels(w, n, k, row_stride, col_stride, out, 0, panel_count(n));
}

// Loop order: panels of B, blocks of k, register tiles down the rows. A k-block of a panel (up to 32 KB) is used for
// all rows while it is in L1/L2, each weight is read from memory once per call, and A (the caller's block) stays in L2.
void gemm_block_panels(int64_t rows, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                       int64_t ldc, bool accumulate, int64_t first, int64_t last) {
  const int64_t end = min_of(n, last * kPanel);
  if (k <= 0 && !accumulate && end > first * kPanel) clear_rows(rows, end - first * kPanel, c + first * kPanel, ldc);
  const int64_t k_blocks = ceil_div(k, kSumLength);
  for (int64_t start = first * kPanel; start < end; start += kPanel) {
    const int64_t cols = min_of(n - start, kPanel), width = cols > kLanes ? kPanel : kLanes;
    for (int64_t k_block = 0; k_block < k_blocks; ++k_block) {
      const int64_t k0 = split_start(k, k_blocks, k_block), k1 = split_start(k, k_blocks, k_block + 1);
      TileArgs t;
      t.k = k1 - k0;
      t.a = a + k0;
      t.lda = lda;
      t.b = packed + start * k + k0 * width;
      t.c = c + start;
      t.ldc = ldc;
      t.cols = static_cast<int>(cols);
      t.add = accumulate || k_block > 0;
      const int64_t lines = ceil_div(width, kLineFloats);
      run_tiles<RowCursor>(t, rows, {lda, 0}, {t.b + t.k * width, kLineFloats, t.k * kLineFloats, lines});
    }
  }
}

void gemm_block(int64_t rows, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                int64_t ldc, bool accumulate) {
  gemm_block_panels(rows, n, k, a, lda, packed, c, ldc, accumulate, 0, panel_count(n));
}

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
