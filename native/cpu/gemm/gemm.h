// Matrix products on one block of rows, for one thread: the core that the operation kernels (FC, morph FCs,
// convolutions) are built around. A kernel gathers or normalises a block of rows into scratch, calls gemm_block, and
// applies its epilogue to the result while that is still in cache.
//
// Contracts:
//  - A row's result depends on that row, the weights and (n, k) only: never on the other rows of the call, on how the
//    rows are split into calls, on the panel range or on the number of threads. Bits are equal.
//  - Sums run over at most kSumLength products at a time; the partial sums are then added in order. That bounds the
//    rounding error at long k, and is the same for every row.
//  - Nothing is read or written outside the stated matrices. NaN and infinity reach exactly the results they belong to.
//  - Any alignment; sizes may be 0; outputs must not overlap inputs. Nothing is allocated, but for a scratch of 384 KB
//    that a thread makes at its first large gemm_tn_block (below AVX-512) and keeps.
#pragma once

#include <cstdint>

#include "cpu/simd/simd.h"

namespace morphmlp {
namespace MORPHMLP_ISA {

constexpr int kPanel = 2 * kLanes;  // columns of one packed panel, and of one register tile
constexpr int kSumLength = 256;     // most products in one running fp32 sum

// Rows of one register tile, and of one on a panel of one vector: enough independent sums to hide the latency of the
// multiply-add. Row blocks that are multiples of kTileRows run fastest; others are split evenly.
#if defined(__AVX512F__)
constexpr int kTileRows = 14, kNarrowTileRows = 14;
#elif defined(__aarch64__)
constexpr int kTileRows = 12, kNarrowTileRows = 12;
#elif defined(__AVX2__)
constexpr int kTileRows = 6, kNarrowTileRows = 12;
#else
constexpr int kTileRows = 4, kNarrowTileRows = 8;
#endif

// Number of panels that n columns take.
inline std::int64_t panel_count(std::int64_t n) { return (n + kPanel - 1) / kPanel; }

// Floats that the packed form of B[k][n] takes: n rounded up to whole vectors, times k.
inline std::int64_t packed_weight_size(std::int64_t n, std::int64_t k) {
  return (n + kLanes - 1) / kLanes * kLanes * k;
}

// Packs B[k][n], where B[kk][j] = w[j * row_stride + kk * col_stride], into panels of kPanel columns, each [k][kPanel]
// contiguous and zero-padded; where the last panel has at most kLanes columns it is [k][kLanes].
// For a PyTorch weight W[n][k]: forward y = x W^T takes (w, n, k, k, 1); dx = dy W takes (w, k, n, 1, k).
// Fast when either stride is 1.
void pack_weight(const float* w, std::int64_t n, std::int64_t k, std::int64_t row_stride, std::int64_t col_stride,
                 float* out);

// The same for panels [first, last) only, so that threads can share the work; `out` is the whole buffer.
void pack_panels(const float* w, std::int64_t n, std::int64_t k, std::int64_t row_stride, std::int64_t col_stride,
                 float* out, std::int64_t first, std::int64_t last);

// C[rows][n] = A[rows][k] B, or += with `accumulate`; A and C row-major with leading dimensions lda and ldc (in
// floats), B packed.
void gemm_block(std::int64_t rows, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                const float* packed, float* c, std::int64_t ldc, bool accumulate);

// The same for the columns of panels [first, last) only; packed and c are those of the whole.
void gemm_block_panels(std::int64_t rows, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                       const float* packed, float* c, std::int64_t ldc, bool accumulate, std::int64_t first,
                       std::int64_t last);

// C[n][k] = sum over m of A[m][n] B[m][k], or += : the weight gradient dW of a token block (A = dY, B = X).
// The sum runs in pieces of at most kSumLength rows, so results depend on m but on nothing else.
void gemm_tn_block(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                   std::int64_t ldb, float* c, std::int64_t ldc, bool accumulate);

// The same for rows [first, last) of C only; a and c are those of the whole.
void gemm_tn_block_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                        const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool accumulate,
                        std::int64_t first, std::int64_t last);

// out[n] = sum over the m rows of A (or +=): the bias gradient. Pieces of 32 rows, added in order.
void col_sum_block(std::int64_t m, std::int64_t n, const float* a, std::int64_t lda, float* out, bool accumulate);

// Multiply-adds a second of one thread with nothing but registers, in GFLOP/s (a multiply-add is 2): the limit that
// benchmarks divide by. Runs for about `seconds`; measure it next to the kernel, clocks move.
double fma_peak(double seconds);

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
