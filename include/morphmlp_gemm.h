// A blocked matrix product on the program's threads, for kernels that need one: c = op(a) op(b), row-major and dense.
// It packs b once and blocks of a as they are needed, into panels that a register tile reads in order. On a GPU it is
// one thread per element.
//
// A kernel may declare the parameters block_m, block_n and block_k (see morphmlp_parameter); `morphmlp kernel tune`
// tries their values.
#pragma once
#include <stdlib.h>

#include "morphmlp_each.h"

struct morphmlp_matrices {
  bool ta, tb;  // a is [k, m] if ta, else [m, k]; b is [n, k] if tb, else [k, n]
  int64_t m, n, k;
  const float *a, *b;
  float* c;
  MORPHMLP_DEVICE float a_at(int64_t i, int64_t p) const { return ta ? a[p * m + i] : a[i * k + p]; }
  MORPHMLP_DEVICE float b_at(int64_t p, int64_t j) const { return tb ? b[j * k + p] : b[p * n + j]; }
};

// One element of c, in double if the sum is long.
struct morphmlp_gemm_element {
  morphmlp_matrices at;
  MORPHMLP_DEVICE void operator()(int64_t e) const {
    const int64_t i = e / at.n, j = e % at.n;
    double sum = 0;
    for (int64_t p = 0; p < at.k; ++p) sum += at.a_at(i, p) * at.b_at(p, j);
    at.c[e] = static_cast<float>(sum);
  }
};

#if !defined(__CUDACC__) && !defined(MORPHMLP_EACH_IS_DEFINED)
#define MORPHMLP_GEMM_IS_BLOCKED

// The register tile: kTileRows x kTileColumns sums stay in vector registers.
#if defined(__AVX512F__)
enum { kLanes = 16, kTileRows = 12 };
#elif defined(__AVX__)
enum { kLanes = 8, kTileRows = 6 };
#else
enum { kLanes = 4, kTileRows = 6 };
#endif
enum { kTileColumns = 2 * kLanes };
typedef float morphmlp_lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

// tile = a panel [k][kTileRows] times b panel [k][kTileColumns]
inline void morphmlp_tile(int64_t k, const float* a, const float* b, float* tile) {
  morphmlp_lanes sum[kTileRows][2] = {};
  for (int64_t p = 0; p < k; ++p, a += kTileRows, b += kTileColumns) {
    const morphmlp_lanes b0 = *reinterpret_cast<const morphmlp_lanes*>(b);
    const morphmlp_lanes b1 = *reinterpret_cast<const morphmlp_lanes*>(b + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      sum[r][0] += a[r] * b0;
      sum[r][1] += a[r] * b1;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r) {
    *reinterpret_cast<morphmlp_lanes*>(tile + r * kTileColumns) = sum[r][0];
    *reinterpret_cast<morphmlp_lanes*>(tile + r * kTileColumns + kLanes) = sum[r][1];
  }
}

inline int64_t morphmlp_min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t morphmlp_panels(int64_t size, int64_t panel) { return (size + panel - 1) / panel; }

struct morphmlp_gemm_work {
  morphmlp_matrices at;
  int64_t block_m, block_n, block_k;
  float* packed_b;  // column panels [k][kTileColumns], padded with zeros
  bool out_of_memory;

  int64_t blocks_m() const { return morphmlp_panels(at.m, block_m); }
  int64_t blocks_n() const { return morphmlp_panels(at.n, block_n); }

  void pack_b(int64_t panel) const {
    const int64_t j0 = panel * kTileColumns, columns = morphmlp_min(kTileColumns, at.n - j0);
    float* to = packed_b + panel * at.k * kTileColumns;
    for (int64_t p = 0; p < at.k; ++p, to += kTileColumns) {
      for (int64_t j = 0; j < columns; ++j) to[j] = at.b_at(p, j0 + j);
      for (int64_t j = columns; j < kTileColumns; ++j) to[j] = 0;
    }
  }

  // Rows i0 .. of a, steps p0 .. p0 + k - 1, as row panels [k][kTileRows].
  void pack_a(int64_t i0, int64_t rows, int64_t p0, int64_t k, float* to) const {
    for (int64_t r0 = 0; r0 < rows; r0 += kTileRows, to += k * kTileRows)
      for (int64_t r = 0; r < kTileRows; ++r)
        for (int64_t p = 0; p < k; ++p) to[p * kTileRows + r] = r0 + r < rows ? at.a_at(i0 + r0 + r, p0 + p) : 0;
  }

  void store(const float* tile, int64_t i0, int64_t j0, int64_t rows, int64_t columns, bool first) const {
    for (int64_t r = 0; r < rows; ++r) {
      float* c = at.c + (i0 + r) * at.n + j0;
      const float* from = tile + r * kTileColumns;
      for (int64_t j = 0; j < columns; ++j) c[j] = first ? from[j] : c[j] + from[j];
    }
  }

  void block(int64_t index) {
    const int64_t i0 = index / blocks_n() * block_m, rows = morphmlp_min(block_m, at.m - i0);
    const int64_t j_begin = index % blocks_n() * block_n, j_end = morphmlp_min(j_begin + block_n, at.n);
    const int64_t padded = morphmlp_panels(rows, kTileRows) * kTileRows;
    float* packed_a = static_cast<float*>(malloc(static_cast<size_t>(padded * block_k) * sizeof(float)));
    if (!packed_a) {
      out_of_memory = true;
      return;
    }
    float tile[kTileRows * kTileColumns];
    for (int64_t p0 = 0; p0 < at.k || p0 == 0; p0 += block_k) {
      const int64_t k = morphmlp_min(block_k, at.k - p0);
      pack_a(i0, rows, p0, k, packed_a);
      for (int64_t j0 = j_begin; j0 < j_end; j0 += kTileColumns)
        for (int64_t r0 = 0; r0 < rows; r0 += kTileRows) {
          const float* b = packed_b + j0 / kTileColumns * at.k * kTileColumns + p0 * kTileColumns;
          morphmlp_tile(k, packed_a + r0 * k, b, tile);
          store(tile, i0 + r0, j0, morphmlp_min(kTileRows, rows - r0), morphmlp_min(kTileColumns, at.n - j0), p0 == 0);
        }
    }
    free(packed_a);
  }
};

#endif

// c[m, n] = op(a) op(b)
inline int32_t morphmlp_gemm(const morphmlp_call* call, bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                             const float* a, const float* b, float* c) {
  const morphmlp_matrices at = {ta, tb, m, n, k, a, b, c};
#if !defined(MORPHMLP_GEMM_IS_BLOCKED)
  return morphmlp_each(call, m * n, morphmlp_gemm_element{at});
#else
  if (m == 0 || n == 0) return MORPHMLP_OK;
  const auto parameter = [call](const char* name, int64_t otherwise) {
    const auto value = static_cast<int64_t>(morphmlp_attribute_of(call, name));
    return value > 0 ? value : otherwise;
  };
  const int64_t panels = morphmlp_panels(n, kTileColumns);
  // Long sums over few elements have small blocks, so that there are enough for all threads.
  const int64_t block_m = parameter("block_m", m > 1024 ? 96 : 24), block_n = parameter("block_n", 1024);
  morphmlp_gemm_work work{
      at, block_m, morphmlp_panels(block_n, kTileColumns) * kTileColumns, parameter("block_k", 256), nullptr, false};
  work.packed_b = static_cast<float*>(malloc(static_cast<size_t>(panels * kTileColumns * k + 1) * sizeof(float)));
  if (!work.packed_b) return morphmlp_say(call, MORPHMLP_FAILED, "out of memory for the packed matrix");
  const auto pack = [](void* w, int64_t panel) { static_cast<morphmlp_gemm_work*>(w)->pack_b(panel); };
  const auto block = [](void* w, int64_t index) { static_cast<morphmlp_gemm_work*>(w)->block(index); };
  call->parallel(panels, pack, &work);
  call->parallel(work.blocks_m() * work.blocks_n(), block, &work);
  free(work.packed_b);
  return work.out_of_memory ? morphmlp_say(call, MORPHMLP_FAILED, "out of memory for a packed block") : MORPHMLP_OK;
#endif
}

// sums[n] = column sums of values[rows, n], in double to bound the rounding error.
struct morphmlp_column_sum {
  int64_t rows, n;
  const float* values;
  float* sums;
  MORPHMLP_DEVICE void operator()(int64_t block) const {
    constexpr int64_t kColumns = 16;
    const int64_t first = block * kColumns, columns = n - first < kColumns ? n - first : kColumns;
    double sum[kColumns] = {};
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j) sum[j] += values[r * n + first + j];
    for (int64_t j = 0; j < columns; ++j) sums[first + j] = static_cast<float>(sum[j]);
  }
};

inline int32_t morphmlp_sum_rows(const morphmlp_call* call, int64_t rows, int64_t n, const float* values, float* sums) {
  return morphmlp_rows(call, (n + 15) / 16, morphmlp_column_sum{rows, n, values, sums});
}
