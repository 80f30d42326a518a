// Single-threaded GEMM on a block of rows: the core of the FC, morph FC and convolution kernels. A kernel gathers or
// normalises a block of rows into scratch (prologue), calls gemm_block, and applies its epilogue to the result while it
// is still in cache.
//
// Contracts:
//  - The bits of a row's result depend on that row, the weights and (n, k) only, never on the other rows of the call,
//    the split of rows into calls, the panel range or the number of threads.
//  - At most kSumLength products are accumulated into one running sum; the partial sums are then added in order. This
//    bounds the rounding error at large k, equally for every row.
//  - Nothing outside the given matrices is read or written. NaN and infinity propagate to exactly the results that
//    depend on them.
//  - Any alignment; sizes may be 0; outputs must not overlap inputs. Nothing is allocated except 384 KB of scratch,
//    which a thread allocates at its first large gemm_tn_block (below AVX-512) and keeps.
#pragma once

#include <cstdint>

#include "cpu/simd/simd.h"

namespace morphmlp {
namespace MORPHMLP_ISA {

constexpr int kPanel = 2 * kLanes;  // columns of a packed panel and of a register tile
constexpr int kSumLength = 256;     // maximum number of products in one running fp32 sum; pairs of products in bf16

// Rows of a register tile two vectors wide, and of one a single vector wide: enough independent accumulators to hide
// the FMA latency. Row blocks that are multiples of kTileRows are fastest; others are split evenly.
#if defined(__AVX512F__)
constexpr int kTileRows = 14, kNarrowTileRows = 14;
#elif defined(__aarch64__)
constexpr int kTileRows = 12, kNarrowTileRows = 12;
#elif defined(__AVX2__)
constexpr int kTileRows = 6, kNarrowTileRows = 12;
#else
constexpr int kTileRows = 4, kNarrowTileRows = 8;
#endif

// Number of panels of n columns.
inline std::int64_t panel_count(std::int64_t n) { return (n + kPanel - 1) / kPanel; }

// Elements of type E that one step of a GEMM multiplies, which lie together in packed operands: pairs of bf16.
template <class E>
constexpr int kTogether = std::is_same_v<E, Bf16> ? 2 : 1;

// Steps of k products.
template <class E>
constexpr std::int64_t steps_of(std::int64_t k) {
  return (k + kTogether<E> - 1) / kTogether<E>;
}

// Size in elements of packed B[k][n]: n rounded up to whole vectors, times k, rounded up to whole steps.
template <class E = float>
inline std::int64_t packed_weight_size(std::int64_t n, std::int64_t k) {
  return (n + kLanes - 1) / kLanes * kLanes * steps_of<E>(k) * kTogether<E>;
}

// The functions below are instantiated for float, Rounded, and Bf16 where an instruction multiplies it: E is the type
// of the operands, Operand<T> for activations T. Packing rounds.

// Packs B[k][n], where B[kk][j] = w[j * row_stride + kk * col_stride], into panels of kPanel columns, each [k][kPanel]
// contiguous and zero-padded (Bf16: [k / 2][kPanel][2]); a last panel of at most kLanes columns is [k][kLanes].
// For a PyTorch weight W[n][k], pass (w, n, k, k, 1) for y = x W^T and (w, k, n, 1, k) for dx = dy W.
// Fast if either stride is 1.
template <class E>
void pack_weight(const float* w, std::int64_t n, std::int64_t k, std::int64_t row_stride, std::int64_t col_stride,
                 E* out);

// pack_weight for panels [first, last) only, to divide the work among threads; `out` is the whole buffer.
template <class E>
void pack_panels(const float* w, std::int64_t n, std::int64_t k, std::int64_t row_stride, std::int64_t col_stride,
                 E* out, std::int64_t first, std::int64_t last);

// C[rows][n] = A[rows][k] B, or += if `accumulate`. A and C are row-major with leading dimensions lda and ldc (in
// elements); B is packed.
template <class E>
void gemm_block(std::int64_t rows, std::int64_t n, std::int64_t k, const E* a, std::int64_t lda, const E* packed,
                float* c, std::int64_t ldc, bool accumulate);

// gemm_block for the columns of panels [first, last) only; packed and c point to the whole matrices.
template <class E>
void gemm_block_panels(std::int64_t rows, std::int64_t n, std::int64_t k, const E* a, std::int64_t lda, const E* packed,
                       float* c, std::int64_t ldc, bool accumulate, std::int64_t first, std::int64_t last);

// C[n][k] (+)= A[m][n]^T B[m][k]: the weight gradient dW of a block of tokens (A = dY, B = X). The reduction runs over
// blocks of at most kSumLength rows (Bf16: pairs of rows), so the rounding depends on m alone.
template <class E>
void gemm_tn_block(std::int64_t m, std::int64_t n, std::int64_t k, const E* a, std::int64_t lda, const E* b,
                   std::int64_t ldb, float* c, std::int64_t ldc, bool accumulate);

// gemm_tn_block for rows [first, last) of C only; a and c point to the whole matrices.
template <class E>
void gemm_tn_block_rows(std::int64_t m, std::int64_t n, std::int64_t k, const E* a, std::int64_t lda, const E* b,
                        std::int64_t ldb, float* c, std::int64_t ldc, bool accumulate, std::int64_t first,
                        std::int64_t last);

// out[n] (+)= column sums of A[m][n]: the bias gradient. Sums blocks of 32 rows and adds them in order.
template <class E>
void col_sum_block(std::int64_t m, std::int64_t n, const E* a, std::int64_t lda, float* out, bool accumulate);

// FMA throughput of one thread on registers alone, in GFLOP/s (a multiply-add counts 2): the roofline of benchmarks.
// Runs for about `seconds`; measure it next to the kernel, since clock rates vary.
double fma_peak(double seconds);
// The same for operands in bf16: that of floats where no instruction multiplies bf16.
double bf16_peak(double seconds);

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
