// The product of bf16 matrices that lie dense in memory, on Hopper (sm_90a): TMA brings tiles into shared memory, wgmma
// multiplies them out of it. A block makes tiles of 128 x kN, one after another in a fixed order: its first warpgroup
// asks for what comes next, the other two make 64 rows each. Of every number of k a stage has 64, in kStages stages.
#pragma once
#include "cuda/hopper/tma.h"
#include "cuda/hopper/wgmma.h"
#include "cuda/operands.h"

namespace morphmlp::cuda {

struct HopperTile {
  static constexpr int kM = 128, kK = kBoxColumns, kGroup = 128, kThreads = 3 * kGroup;
};

// kWidth rows or columns of an operand and kK of k, in shared memory: by rows one box of 64 numbers of k, by columns
// boxes of 64 columns, in which k counts the rows.
template <bool kTurned, int kWidth>
struct HopperOperand {
  static constexpr int kBoxes = kTurned ? (kWidth + kBoxColumns - 1) / kBoxColumns : 1;
  static constexpr int kBoxRows = kTurned ? HopperTile::kK : kWidth;
  struct alignas(1024) Tile {
    Bf16 at[kBoxes][kBoxRows][kBoxColumns];
  };

  __device__ static void load(Tile& to, const TensorMap& map, Mbarrier& barrier, int first, int k) {
    for (int box = 0; box < kBoxes; ++box)
      load_box(&to.at[box][0][0], map, barrier, kTurned ? first + box * kBoxColumns : k, kTurned ? k : first);
  }

  // From row or column `first` of the tile on, a multiple of 64, and number k, a multiple of 16.
  __device__ static uint64_t descriptor(const Tile& tile, int first, int k) {
    constexpr uint32_t kEightRows = 8 * kBoxColumns * sizeof(Bf16);
    const Bf16* start = kTurned ? &tile.at[first / kBoxColumns][k][0] : &tile.at[0][first][k];
    return matrix_descriptor(shared_address(start), sizeof(tile.at[0]), kEightRows);
  }
};

template <bool kTurnA, bool kTurnB, int kN, class Out>
struct HopperGemm {
  using A = HopperOperand<kTurnA, HopperTile::kM>;
  using B = HopperOperand<kTurnB, kN>;
  static constexpr int kThreads = HopperTile::kThreads;
  static constexpr bool kDynamic = true;
  static constexpr uint32_t kStageBytes = sizeof(typename A::Tile) + sizeof(typename B::Tile);
  static constexpr int kStages = 204800 / kStageBytes;
  struct Shared {
    typename A::Tile a[kStages];
    typename B::Tile b[kStages];
    Mbarrier full[kStages], empty[kStages];
  };

  TensorMap map_a, map_b;
  Out out;
  int m, n, k, part, tiles;  // block z sums k in [z part, (z + 1) part), part a multiple of kK
  Divisor tiles_n;

  __device__ void operator()(Shared& s) const {
#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
    __trap();  // never launched there (hopper_lacks)
#else
    if (threadIdx.x == 0) start(s);
    __syncthreads();
    const int group = static_cast<int>(threadIdx.x) / HopperTile::kGroup;
    if (group == 0) return produce(s);
    consume(s, group - 1);
#endif
  }

 private:
  static constexpr int kConsumers = (kThreads - HopperTile::kGroup) / kWarpSize;  // warps
  using Sums = float[kN / 2];

  // Where a loop over all stages of all tiles is.
  struct Place {
    int stage = 0;
    uint32_t phase = 0;
    __device__ void next() {
      if (++stage < kStages) return;
      stage = 0;
      phase ^= 1;
    }
  };

  __device__ static void start(Shared& s) {
    for (int i = 0; i < kStages; ++i) {
      init(s.full[i], 1);
      init(s.empty[i], kConsumers);
    }
    publish_barriers();
  }

  __device__ int begin() const { return static_cast<int>(blockIdx.z) * part; }
  __device__ int steps() const {
    const int left = k - begin(), all = left < part ? left : part;
    return all > 0 ? (all + HopperTile::kK - 1) / HopperTile::kK : 0;
  }

  template <class Body>
  __device__ void for_each_tile(const Body& body) const {
    for (int tile = static_cast<int>(blockIdx.x); tile < tiles; tile += static_cast<int>(gridDim.x)) {
      const int tile_m = tiles_n.quotient(tile);
      body(tile_m * HopperTile::kM, tiles_n.remainder(tile, tile_m) * kN);
    }
  }

  __device__ void produce(Shared& s) const {
    give_registers<40>();
    if (threadIdx.x % HopperTile::kGroup != 0) return;
    Place at;
    for_each_tile([&](int first_m, int first_n) {
      for (int step = 0; step < steps(); ++step, at.next()) {
        wait(s.empty[at.stage], at.phase ^ 1);
        Mbarrier& full = s.full[at.stage];
        arrive_expecting(full, kStageBytes);
        const int from = begin() + step * HopperTile::kK;
        A::load(s.a[at.stage], map_a, full, first_m, from);
        B::load(s.b[at.stage], map_b, full, first_n, from);
      }
    });
  }

  __device__ void consume(Shared& s, int group) const {
    take_registers<232>();
    Place at;
    for_each_tile([&](int first_m, int first_n) {
      Sums sum = {};
      multiply(s, group, at, sum);
      finish(first_m + 64 * group, first_n, sum);
    });
  }

  // One group of products is on its way while the next is asked for; a stage is left once its products are done.
  __device__ void multiply(Shared& s, int group, Place& at, Sums& sum) const {
    int before = 0;
    for (int step = 0; step < steps(); ++step, at.next()) {
      wait(s.full[at.stage], at.phase);
      wgmma_fence();
#pragma unroll
      for (int from = 0; from < HopperTile::kK; from += 16)
        wgmma<kN, kTurnA, kTurnB>(sum, A::descriptor(s.a[at.stage], 64 * group, from),
                                  B::descriptor(s.b[at.stage], 0, from));
      wgmma_commit();
      wgmma_wait<1>();
      if (step > 0) leave(s, before);
      before = at.stage;
    }
    wgmma_wait<0>();
    settle(sum);
    if (steps() > 0) leave(s, before);
  }

  __device__ static void leave(Shared& s, int stage) {
    if (threadIdx.x % kWarpSize == 0) arrive(s.empty[stage]);
  }

  __device__ void finish(int first_m, int first_n, const Sums& sum) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) % HopperTile::kGroup / kWarpSize;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first_m + 16 * warp + 8 * half + lane / 4;
      if (row >= m) continue;
      const typename Out::Row to = out.row(row);
#pragma unroll
      for (int j = 0; j < kN / 8; ++j)
        put_pair(out, to, first_n + 8 * j + lane % 4 * 2, n, {sum[4 * j + 2 * half], sum[4 * j + 2 * half + 1]});
    }
  }
};

}  // namespace morphmlp::cuda
