// mma.sync tiles of bf16, summed in f32. A block computes 128 x 112, since all widths of the networks are multiples of
// 56, and each of its 8 warps 32 x 56. Operands, weights too, are rounded to bf16 as they are loaded. ldmatrix
// transposes operands by columns; 8 values of padding put the 8 rows that it reads into different banks.
#pragma once
#include "cuda/gemm/mma.h"

namespace morphmlp::cuda {

struct MmaBf16 {
  using Element = Bf16;
  static constexpr int kM = 128, kN = 112, kK = 32, kThreads = 256, kBlocks = 1;
  static constexpr int kWarpM = 32, kWarpN = 56;
  static constexpr int kTilesM = kWarpM / 16, kTilesN = kWarpN / 8, kSteps = kK / 16;
  static constexpr int kPad = 8;
  using Sums = float[kTilesM][kTilesN][4];

  template <int kWidth>
  struct alignas(16) Rows {
    Bf16 at[kWidth][kK + kPad];
    __device__ Bf16* piece(int i, int k) { return &at[i][k]; }
  };
  template <int kWidth>
  struct alignas(16) Columns {
    Bf16 at[kK][kWidth + kPad];
    __device__ Bf16* piece(int i, int k) { return &at[k][i]; }
  };

  // Adds the product of rows m .. m + kWarpM - 1 of a and n .. n + kWarpN - 1 of b over the k of the tile.
  template <class TileA, class TileB>
  __device__ static void multiply(const TileA& a, int m, const TileB& b, int n, Sums& sum) {
    uint32_t left[kSteps][kTilesM][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) fragment_a(a, m + 16 * i, 16 * step, left[step][i]);
#pragma unroll
    for (int j = 0; j < kTilesN; ++j) {
      uint32_t right[4];
      fragment_b(b, n + 8 * j, right);
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
#pragma unroll
        for (int i = 0; i < kTilesM; ++i) mma_m16n8k16(sum[i][j], left[step][i], right[2 * step], right[2 * step + 1]);
    }
  }

 private:
  // Loads rows m .. m + 15 and columns k .. k + 15 as the first operand.
  template <int kWidth>
  __device__ static void fragment_a(const Rows<kWidth>& tile, int m, int k, uint32_t (&to)[4]) {
    ldmatrix(to, &tile.at[m + lane() % 16][k + lane() / 16 * 8]);
  }
  template <int kWidth>
  __device__ static void fragment_a(const Columns<kWidth>& tile, int m, int k, uint32_t (&to)[4]) {
    ldmatrix_trans(to, &tile.at[k + lane() % 8 + lane() / 16 * 8][m + lane() / 8 % 2 * 8]);
  }

  // Loads rows n .. n + 7 and all kK columns as the second operand, two words for each 16.
  template <int kWidth>
  __device__ static void fragment_b(const Rows<kWidth>& tile, int n, uint32_t (&to)[4]) {
    ldmatrix(to, &tile.at[n + lane() % 8][lane() / 8 * 8]);
  }
  template <int kWidth>
  __device__ static void fragment_b(const Columns<kWidth>& tile, int n, uint32_t (&to)[4]) {
    ldmatrix_trans(to, &tile.at[lane()][n]);
  }

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
};

}  // namespace morphmlp::cuda
