// Product that also writes the moments of each column of a tile, so that a following BatchNorm need not read the
// results again. The shape alone decides which values are summed together.
#pragma once
#include "cuda/gemm/gemm.h"

namespace morphmlp::cuda {

// Mean of some values of a column, and the sum of squared differences from it.
struct Moments {
  float mean, m2;
};

// Moments of a tile by groups of rows, and the number of rows of each group inside the matrix.
template <int kGroups, int kColumns>
struct GroupMoments {
  Moments at[kGroups][kColumns];
  float rows[kGroups];

  // Combines the groups in order by the formula of Chan et al., which a large mean costs no digits.
  __device__ Moments joined(int column) const {
    Moments all = {0, 0};
    float n = 0;
    for (int g = 0; g < kGroups; ++g) {
      if (rows[g] == 0) continue;
      const Moments& more = at[g][column];
      const float share = rows[g] / (n + rows[g]), d = more.mean - all.mean;
      all.mean = fmaf(d, share, all.mean);
      all.m2 += fmaf(d * d, n * share, more.m2);
      n += rows[g];
    }
    return all;
  }
};

// Results of a thread: number (i, j) is at (row(i), column(j)). Lanes that differ in the bits of kLanes hold the same
// columns, and rows of the same group.
template <class A, class B, class Out>
struct FfmaFragment : FfmaGemm<A, B, Out> {
  using Tile = FfmaTile;

 protected:
  using Base = FfmaGemm<A, B, Out>;
  static constexpr int kRows = 8, kColumns = 4, kGroups = 16, kLanes = 0;

  __device__ static int row(int i) { return Base::row_of(i); }
  __device__ static int column(int j) { return Base::thread_x() * 4 + j; }
  __device__ static int group() { return Base::thread_y(); }
  __device__ static float& number(typename Base::Sums& sum, int i, int j) { return sum[i][j]; }
};

template <class A, class B, class Out>
struct MmaFragment : MmaGemm<MmaBf16, A, B, Out> {
  using Tile = MmaBf16;

 protected:
  using Base = MmaGemm<MmaBf16, A, B, Out>;
  static constexpr int kRows = 2 * Tile::kTilesM, kColumns = 2 * Tile::kTilesN, kGroups = Tile::kM / Tile::kWarpM,
                       kLanes = 4 | 8 | 16;

  __device__ static int row(int i) { return Base::warp_m() + 8 * i + Base::lane() / 4; }
  __device__ static int column(int j) { return Base::warp_n() + j / 2 * 8 + Base::lane() % 4 * 2 + j % 2; }
  __device__ static int group() { return Base::warp_m() / Tile::kWarpM; }
  __device__ static float& number(typename Base::Sums& sum, int i, int j) {
    return sum[i / 2][j / 2][i % 2 * 2 + j % 2];
  }
};

// The moments are those of the results after out.apply.
template <class Share>
struct GemmBnStats : Share {
  using Groups = GroupMoments<Share::kGroups, Share::Tile::kN>;
  union Shared {
    typename Share::Shared operands;
    Groups groups;
  };

  Moments* to;  // [tile of rows, column]
  int columns;

  __device__ void operator()(Shared& s) const {
    const int tile = static_cast<int>(blockIdx.x), tile_m = this->tiles_n.quotient(tile);
    const int first_m = tile_m * Tile::kM, first_n = this->tiles_n.remainder(tile, tile_m) * Tile::kN;
    Sums sum = {};
    NoTileObserver no_observer;
    this->sum_tile(s.operands, first_m, first_n, {0, this->k}, sum, no_observer);
    this->apply_epilogue(first_m, first_n, sum);
    this->write_results(first_m, first_n, sum);
    __syncthreads();  // the operands, which moments overwrite, have been read
    leave(s.groups, first_m, sum);
    __syncthreads();
    const int n = static_cast<int>(threadIdx.x);
    if (n < Tile::kN && first_n + n < this->b.size)
      to[static_cast<int64_t>(tile_m) * columns + first_n + n] = s.groups.joined(n);
  }

 private:
  using Tile = typename Share::Tile;
  using Sums = typename Share::Base::Sums;

  __device__ void leave(Groups& groups, int first_m, Sums& sum) const {
    float inside = 0;
#pragma unroll
    for (int i = 0; i < Share::kRows; ++i) inside += first_m + Share::row(i) < this->a.size ? 1.0f : 0.0f;
    const float rows = over_lanes(inside), share = rows > 0 ? 1 / rows : 0.0f;
    const bool first = (static_cast<int>(threadIdx.x) & Share::kLanes) == 0;
    if (first && Share::column(0) == 0) groups.rows[Share::group()] = rows;
#pragma unroll
    for (int j = 0; j < Share::kColumns; ++j) {
      const Moments own = of_column(first_m, j, share, sum);
      if (first) groups.at[Share::group()][Share::column(j)] = own;
    }
  }

  __device__ Moments of_column(int first_m, int j, float share, Sums& sum) const {
    float total = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < Share::kRows; ++i)
      if (first_m + Share::row(i) < this->a.size) total += this->number(sum, i, j);
    const float mean = over_lanes(total) * share;
#pragma unroll
    for (int i = 0; i < Share::kRows; ++i)
      if (first_m + Share::row(i) < this->a.size) {
        const float d = this->number(sum, i, j) - mean;
        squares = fmaf(d, d, squares);
      }
    return {mean, over_lanes(squares)};
  }

  __device__ static float over_lanes(float value) {
#pragma unroll
    for (int mask = 1; mask < kWarpSize; mask *= 2)
      if (mask & Share::kLanes) value += __shfl_xor_sync(kAllLanes, value, mask);
    return value;
  }
};

template <class T>
struct BnStatsGemmFor {
  template <class A, class B, class Out>
  using Kernel = GemmBnStats<FfmaFragment<A, B, Out>>;
};
template <>
struct BnStatsGemmFor<Bf16> {
  template <class A, class B, class Out>
  using Kernel = GemmBnStats<MmaFragment<A, B, Out>>;
};

// Rows of each tile but the last.
template <class T>
constexpr int kBnStatsRows = GemmFor<T>::Tile::kM;

// out = a b, and the moments of the results, `columns` columns for each tile of rows.
template <class T, class A, class B, class Out>
void multiply_with_bn_stats(const A& a, const B& b, int64_t k, const Out& out, Moments* to, int64_t columns) {
  using Tile = typename GemmFor<T>::Tile;
  if (a.size == 0 || b.size == 0) return;
  const int64_t tiles_n = blocks_of(b.size, Tile::kN), whole = blocks_of(k, Tile::kK) * Tile::kK;
  typename BnStatsGemmFor<T>::template Kernel<A, B, Out> kernel = {
      {{a, b, out, as_int(k), as_int(whole), Divisor(tiles_n)}}, to, as_int(columns)};
  launch({blocks_of(a.size, Tile::kM) * tiles_n}, kernel);
}

}  // namespace morphmlp::cuda
