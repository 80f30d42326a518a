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

// Calls body(first column, columns, offset in a panel, width of the panel, first column of the panel) for vectors of
// columns.
template <class F>
void for_panel_lanes(int64_t n, int64_t first, int64_t last, F&& body) {
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t start = panel * kPanel, cols = min_of(n - start, kPanel), width = cols > kLanes ? kPanel : kLanes;
    for (int64_t j = 0; j < width; j += kLanes) body(start + j, min_of(cols - j, kLanes), j, width, start);
  }
}

void pack(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out, int64_t first,
          int64_t last) {
  for_panel_lanes(n, first, last, [&](int64_t column, int64_t cols, int64_t j, int64_t width, int64_t start) {
    pack_lanes(w + column * row_stride, cols, k, row_stride, col_stride, out + start * k + j, width);
  });
}

#ifdef MORPHMLP_BF16_DOT

// Rounds kLanes rows of w that are contiguous in k; the pairs are then packed as floats are.
void pack_pair_rows(const float* w, int64_t k, int64_t row_stride, float* out, int64_t width) {
  constexpr int64_t kChunk = 128;
  alignas(64) Bf16 rows[kLanes * kChunk];
  for (int64_t k0 = 0; k0 < k; k0 += kChunk) {
    const int64_t length = min_of(k - k0, kChunk), pairs = steps_of<Bf16>(length);
    for (int64_t j = 0; j < kLanes; ++j) {
      rows[j * kChunk + 2 * pairs - 1].bits = 0;
      for (int64_t i = 0; i < length; i += kLanes) {
        const int count = static_cast<int>(min_of(kLanes, length - i));
        store_n(rows + j * kChunk + i, load_n(w + j * row_stride + k0 + i, count), count);
      }
    }
    pack_rows(reinterpret_cast<const float*>(rows), pairs, kChunk / 2, out + k0 / 2 * width, width);
  }
}

void pack_pair_columns(const float* w, int64_t n, int64_t k, int64_t col_stride, float* out, int64_t width) {
  for (int64_t kk = 0; kk < k; kk += 2, w += 2 * col_stride, out += width)
    store(out, pair_rows(w, kk + 1 < k ? w + col_stride : nullptr, static_cast<int>(n)));
}

void pack_any_pairs(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, float* out,
                    int64_t width) {
  alignas(64) float rows[2][kLanes];
  for (int64_t kk = 0; kk < k; kk += 2) {
    for (int64_t i = 0; i < 2 * kLanes; ++i) {
      const int64_t j = i % kLanes, at = kk + i / kLanes;
      rows[i / kLanes][j] = j < n && at < k ? w[j * row_stride + at * col_stride] : 0.0f;
    }
    store(out + kk / 2 * width, pair_rows(rows[0], rows[1], kLanes));
  }
}

void pack(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, Bf16* out, int64_t first,
          int64_t last) {
  for_panel_lanes(n, first, last, [&](int64_t column, int64_t cols, int64_t j, int64_t width, int64_t start) {
    float* to = reinterpret_cast<float*>(out) + start * steps_of<Bf16>(k) + j;
    const float* from = w + column * row_stride;
    if (cols <= 0) return pack_any_pairs(w, 0, k, 0, 0, to, width);
    if (row_stride == 1) return pack_pair_columns(from, cols, k, col_stride, to, width);
    if (col_stride == 1 && cols == kLanes) return pack_pair_rows(from, k, row_stride, to, width);
    pack_any_pairs(from, cols, k, row_stride, col_stride, to, width);
  });
}

#else

// Packs floats, then rounds them in place.
void pack(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, Rounded* out, int64_t first,
          int64_t last) {
  pack(w, n, k, row_stride, col_stride, &out->value, first, last);
  const int64_t end = last * kPanel >= n ? packed_weight_size(n, k) : last * kPanel * k;
  for (int64_t i = first * kPanel * k; i < end; i += kLanes) store(out + i, load(out + i));
}

#endif

}  // namespace

template <class E>
void pack_panels(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, E* out, int64_t first,
                 int64_t last) {
  pack(w, n, k, row_stride, col_stride, out, first, last);
}

template <class E>
void pack_weight(const float* w, int64_t n, int64_t k, int64_t row_stride, int64_t col_stride, E* out) {
  pack(w, n, k, row_stride, col_stride, out, 0, panel_count(n));
}

// Loop order: panels of B, blocks of k, register tiles down the rows. A k-block of a panel (up to 32 KB) is used for
// all rows while it is in L1/L2, each weight is read from memory once per call, and A (the caller's block) stays in L2.
template <class E>
void gemm_block_panels(int64_t rows, int64_t n, int64_t k, const E* a, int64_t lda, const E* packed, float* c,
                       int64_t ldc, bool accumulate, int64_t first, int64_t last) {
  const int64_t end = min_of(n, last * kPanel);
  if (k <= 0 && !accumulate && end > first * kPanel) clear_rows(rows, end - first * kPanel, c + first * kPanel, ldc);
  const int64_t steps = steps_of<E>(k), k_blocks = ceil_div(steps, kSumLength);
  const int64_t stride = lda * static_cast<int64_t>(sizeof(E));
  for (int64_t start = first * kPanel; start < end; start += kPanel) {
    const int64_t cols = min_of(n - start, kPanel), width = cols > kLanes ? kPanel : kLanes;
    for (int64_t k_block = 0; k_block < k_blocks; ++k_block) {
      const int64_t k0 = split_start(steps, k_blocks, k_block), k1 = split_start(steps, k_blocks, k_block + 1);
      TileArgs t;
      t.half = k1 * kTogether<E> > k;
      t.k = k1 - k0 - (t.half ? 1 : 0);
      t.a = reinterpret_cast<const char*>(a + k0 * kTogether<E>);
      t.lda = stride;
      t.b = reinterpret_cast<const float*>(packed) + start * steps + k0 * width;
      t.c = c + start;
      t.ldc = ldc;
      t.cols = static_cast<int>(cols);
      t.add = accumulate || k_block > 0;
      const int64_t lines = ceil_div(width, kLineFloats);
      run_tiles<RowCursor, TileElement<E>>(t, rows, {stride, 0},
                                           {t.b + (k1 - k0) * width, kLineFloats, t.k * kLineFloats, lines});
    }
  }
}

template <class E>
void gemm_block(int64_t rows, int64_t n, int64_t k, const E* a, int64_t lda, const E* packed, float* c, int64_t ldc,
                bool accumulate) {
  gemm_block_panels(rows, n, k, a, lda, packed, c, ldc, accumulate, 0, panel_count(n));
}

#define INSTANTIATE(E)                                                                                           \
  template void pack_panels(const float*, int64_t, int64_t, int64_t, int64_t, E*, int64_t, int64_t);             \
  template void pack_weight(const float*, int64_t, int64_t, int64_t, int64_t, E*);                               \
  template void gemm_block_panels(int64_t, int64_t, int64_t, const E*, int64_t, const E*, float*, int64_t, bool, \
                                  int64_t, int64_t);                                                             \
  template void gemm_block(int64_t, int64_t, int64_t, const E*, int64_t, const E*, float*, int64_t, bool);
FOR_OPERANDS(INSTANTIATE)

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
