// What products of f32 tensors on the tensor cores compute with: 3xTF32. Each number is the sum of its rounding to TF32
// and of the rest's; a product is big x small + small x big + big x big, of which only small x small, 2^-22 of it at
// most, is left out. An infinite number has no rest: its products are NaN.
//
// Tensor cores cut off what they add, so errors of one sign grow with k. So 16 numbers of k are summed there, from zero
// and small products first, while they are still among themselves; each sum is then added to that in registers, which
// rounds to the nearest.
#pragma once
#include "cuda/gemm/mma.h"

namespace morphmlp::cuda {

// Numbers as two of TF32 each.
template <int N>
struct Tf32Pair {
  uint32_t big[N], small[N];

  __device__ explicit Tf32Pair(const uint32_t (&bits)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float value = load_bits(bits[i]);
      big[i] = rounded_to_tf32(value);
      small[i] = rounded_to_tf32(value - load_bits(big[i]));
    }
  }
};

// A block makes 128 x 56, as all widths of the networks are multiples of 56, and each of its 8 warps 16 x 56, in few
// enough registers for two blocks an SM. Padding lets the 8 rows that ldmatrix reads, and the 4 x 8 numbers of an
// operand by columns, lie in different banks.
struct MmaTf32x3 {
  using Element = float;
  static constexpr int kM = 128, kN = 56, kK = 16, kThreads = 256, kBlocks = 2;
  static constexpr int kWarpM = 16, kWarpN = 56;
  static constexpr int kTilesM = kWarpM / 16, kTilesN = kWarpN / 8, kSteps = kK / 8;
  static constexpr bool kWhole = false;
  using Sums = float[kTilesM][kTilesN][4];

  template <int kWidth>
  struct alignas(16) Rows {
    float at[kWidth][kK + 4];
    __device__ float* piece(int i, int k) { return &at[i][k]; }
  };
  template <int kWidth>
  struct alignas(16) Columns {
    float at[kK][kWidth + (kWidth % 16 == 8 ? 0 : 8)];
    __device__ float* piece(int i, int k) { return &at[k][i]; }
  };

  // Adds the product of rows m .. m + kWarpM - 1 of a and n .. n + kWarpN - 1 of b over the tile's k.
  template <class TileA, class TileB>
  __device__ static void multiply(const TileA& a, int m, const TileB& b, int n, Sums& sum) {
#pragma unroll
    for (int i = 0; i < kTilesM; ++i) {
      const First left[kSteps] = {first_operand(a, m + 16 * i, 0), first_operand(a, m + 16 * i, 8)};
#pragma unroll
      for (int j = 0; j < kTilesN; ++j) {
        float run[4] = {};
        add_run(run, left, second_operand(b, n + 8 * j));
        for (int r = 0; r < 4; ++r) sum[i][j][r] += run[r];
      }
    }
  }

  using First = Tf32Pair<4>;            // 16 x 8
  using Second = Tf32Pair<2 * kSteps>;  // kK x 8, two words for each 8

  __device__ static void add_run(float (&run)[4], const First (&a)[kSteps], const Second& b) {
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      mma_m16n8k8(run, a[s].small, b.big[2 * s], b.big[2 * s + 1]);
      mma_m16n8k8(run, a[s].big, b.small[2 * s], b.small[2 * s + 1]);
    }
#pragma unroll
    for (int s = 0; s < kSteps; ++s) mma_m16n8k8(run, a[s].big, b.big[2 * s], b.big[2 * s + 1]);
  }

  // Rows m .. m + 15 and columns k .. k + 7.
  template <int kWidth>
  __device__ static First first_operand(const Rows<kWidth>& tile, int m, int k) {
    uint32_t bits[4];
    ldmatrix(bits, &tile.at[m + lane() % 16][k + lane() / 16 * 4]);
    return First(bits);
  }
  template <int kWidth>
  __device__ static First first_operand(const Columns<kWidth>& tile, int m, int k) {
    uint32_t bits[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) bits[i] = bits_of(tile.at[k + lane() % 4 + i / 2 * 4][m + lane() / 4 + i % 2 * 8]);
    return First(bits);
  }

  // Rows n .. n + 7 and all kK columns.
  template <int kWidth>
  __device__ static Second second_operand(const Rows<kWidth>& tile, int n) {
    uint32_t bits[4];
    ldmatrix(bits, &tile.at[n + lane() % 8][lane() / 8 * 4]);
    return Second(bits);
  }
  template <int kWidth>
  __device__ static Second second_operand(const Columns<kWidth>& tile, int n) {
    uint32_t bits[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) bits[i] = bits_of(tile.at[lane() % 4 + i * 4][n + lane() / 4]);
    return Second(bits);
  }

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
};

}  // namespace morphmlp::cuda
