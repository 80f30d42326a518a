// Product of bf16 matrices on Hopper (sm_90a): TMA copies tiles of both operands into shared memory, wgmma multiplies
// them. A block computes tiles of 128 x kN one after another, in a fixed order. Its first warpgroup issues the copies,
// the other two multiply 64 rows each. A pipeline stage holds 64 values of k.
#pragma once
#include "cuda/gemm/hopper/tma.h"
#include "cuda/gemm/hopper/wgmma.h"
#include "cuda/gemm/operands.h"

namespace morphmlp::cuda {

struct HopperTile {
  static constexpr int kM = 128, kK = kBoxColumns, kGroup = 128;
};

// kWidth rows or columns of an operand by kK values of k, swizzled by 128 bytes. By rows: one box whose columns are k.
// Transposed: boxes of 64 columns whose rows are k.
template <bool kTransposed, int kWidth>
struct alignas(1024) SwizzledTile {
  static constexpr int kBoxes = kTransposed ? (kWidth + kBoxColumns - 1) / kBoxColumns : 1;
  static constexpr int kBoxRows = kTransposed ? HopperTile::kK : kWidth;

  // Descriptor of the part that begins at row or column `first`, a multiple of 64, and at k, a multiple of 16.
  __device__ uint64_t descriptor(int first, int k) const {
    constexpr uint32_t kEightRows = 8 * kBoxColumns * sizeof(Bf16);
    const Bf16* start = kTransposed ? &at[first / kBoxColumns][k][0] : &at[0][first][k];
    return matrix_descriptor(shared_address(start), kTransposed ? sizeof(at[0]) : kUnusedOffset, kEightRows);
  }

  Bf16 at[kBoxes][kBoxRows][kBoxColumns];
};

// An operand in device memory that TMA reads.
template <bool kTransposedBoxes, int kWidth>
struct TmaOperand {
  static constexpr bool kTransposed = kTransposedBoxes;
  using Tile = SwizzledTile<kTransposed, kWidth>;

  TensorMap map;

  // Starts the copies of the tile at row or column `first` and at k; `full` counts their bytes.
  __device__ void load(Tile& to, Mbarrier& full, int first, int k) const {
    for (int box = 0; box < Tile::kBoxes; ++box)
      load_box(&to.at[box][0][0], map, full, kTransposed ? first + box * kBoxColumns : k, kTransposed ? k : first);
  }
};

template <class A, class B, int kN, class Out>
struct HopperGemm {
  static constexpr int kThreads = 3 * HopperTile::kGroup;
  static constexpr bool kDynamic = true;
  static constexpr uint32_t kStageBytes = sizeof(typename A::Tile) + sizeof(typename B::Tile);
  static constexpr int kStages = 204800 / kStageBytes;
  static_assert(kStages >= 3, "one stage is read while the next two are filled");
  struct Shared {
    typename A::Tile a[kStages];
    typename B::Tile b[kStages];
    Mbarrier full[kStages], empty[kStages];
  };

  A a;
  B b;
  Out out;
  int m, n, k, part, tiles;  // block z sums k in [z part, (z + 1) part), part a multiple of kK
  Divisor tiles_n;

  __device__ void operator()(Shared& s) const {
#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
    __trap();  // never launched there (wgmma_unavailable)
#else
    if (threadIdx.x == 0) init_barriers(s);
    __syncthreads();
    const int group = static_cast<int>(threadIdx.x) / HopperTile::kGroup;
    if (group == 0) return produce(s);
    consume(s, group - 1);
#endif
  }

 private:
  static constexpr int kConsumerWarps = 2 * HopperTile::kGroup / kWarpSize;
  // Registers a thread after setmaxnreg: 128 * 40 + 256 * 232 of 65536.
  static constexpr int kProducerRegisters = 40, kConsumerRegisters = 232;
  using Sums = float[kN / 2];

  // Stage and parity of a loop over all steps of all tiles.
  struct PipelineState {
    int stage = 0;
    uint32_t phase = 0;
    __device__ void next() {
      if (++stage < kStages) return;
      stage = 0;
      phase ^= 1;
    }
  };

  __device__ static void init_barriers(Shared& s) {
    for (int i = 0; i < kStages; ++i) {
      init(s.full[i], 1);
      init(s.empty[i], kConsumerWarps);
    }
    fence_barrier_init();
  }

  __device__ int begin() const { return static_cast<int>(blockIdx.z) * part; }
  __device__ int end() const { return k < begin() + part ? k : begin() + part; }
  __device__ int steps() const { return end() > begin() ? (end() - begin() + HopperTile::kK - 1) / HopperTile::kK : 0; }

  template <class Body>
  __device__ void for_each_tile(const Body& body) const {
    for (int tile = static_cast<int>(blockIdx.x); tile < tiles; tile += static_cast<int>(gridDim.x)) {
      const int tile_m = tiles_n.quotient(tile);
      body(tile_m * HopperTile::kM, tiles_n.remainder(tile, tile_m) * kN);
    }
  }

  __device__ void produce(Shared& s) const {
    dealloc_registers<kProducerRegisters>();
    if (threadIdx.x != 0) return;
    PipelineState state;
    for_each_tile([&](int first_m, int first_n) {
      for (int step = 0; step < steps(); ++step, state.next()) {
        Mbarrier& full = s.full[state.stage];
        wait(s.empty[state.stage], state.phase ^ 1);
        arrive_expect_tx(full, kStageBytes);
        a.load(s.a[state.stage], full, first_m, begin() + step * HopperTile::kK);
        b.load(s.b[state.stage], full, first_n, begin() + step * HopperTile::kK);
      }
    });
  }

  __device__ void consume(Shared& s, int group) const {
    alloc_registers<kConsumerRegisters>();
    PipelineState state;
    for_each_tile([&](int first_m, int first_n) {
      Sums sum = {};
      multiply(s, group, state, sum);
      finish(first_m + 64 * group, first_n, sum);
    });
  }

  // Keeps one group of wgmma in flight while the next is issued; a stage is released after its group has completed.
  __device__ void multiply(Shared& s, int group, PipelineState& state, Sums& sum) const {
    int previous = 0;
    for (int step = 0; step < steps(); ++step, state.next()) {
      wait(s.full[state.stage], state.phase);
      wgmma_fence();
#pragma unroll
      for (int from = 0; from < HopperTile::kK; from += 16)
        wgmma<kN, A::kTransposed, B::kTransposed>(sum, s.a[state.stage].descriptor(64 * group, from),
                                                  s.b[state.stage].descriptor(0, from));
      wgmma_commit();
      wgmma_wait<1>();
      if (step > 0) release_stage(s, previous);
      previous = state.stage;
    }
    wgmma_wait<0>();
    pin_after_wait(sum);
    if (steps() > 0) release_stage(s, previous);
  }

  __device__ static void release_stage(Shared& s, int stage) {
    if (threadIdx.x % kWarpSize == 0) arrive(s.empty[stage]);
  }

  __device__ void finish(int first_m, int first_n, Sums& sum) const {
    for_each_pair(first_m, first_n, sum, [&](const typename Out::Row& row, int column, float(&pair)[2]) {
      apply_pair(out, row, column, n, pair);
    });
    for_each_pair(first_m, first_n, sum, [&](const typename Out::Row& row, int column, const float(&pair)[2]) {
      store_pair(out, row, column, n, pair);
    });
  }

  template <class Body>
  __device__ void for_each_pair(int first_m, int first_n, Sums& sum, const Body& body) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int warp = static_cast<int>(threadIdx.x) % HopperTile::kGroup / kWarpSize;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first_m + 16 * warp + 8 * half + lane / 4;
      if (row >= m) continue;
      const typename Out::Row to = out.row(row);
#pragma unroll
      for (int j = 0; j < kN / 8; ++j) {
        float* results = &sum[4 * j + 2 * half];
        float pair[] = {results[0], results[1]};
        body(to, first_n + 8 * j + lane % 4 * 2, pair);
        results[0] = pair[0], results[1] = pair[1];
      }
    }
  }
};

}  // namespace morphmlp::cuda
