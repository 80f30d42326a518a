// The product of bf16 matrices on Hopper (sm_90a) by wgmma, out of tiles in shared memory that TMA or threads bring
// there (hopper_operands.h). A block makes tiles of 128 x kN, one after another in a fixed order: its first warpgroup
// asks for what comes next or, with a second one beside narrow tiles, loads it, and the last two make 64 rows each. Of
// every number of k a stage has 64, in kStages stages.
#pragma once
#include "cuda/gemm/hopper_operands.h"

namespace morphmlp::cuda {

// A and B are ByTma or ByThreads.
template <class A, class B, int kN, class Out>
struct HopperGemm {
  static constexpr bool kByThreads = A::kByThreads || B::kByThreads, kCopied = A::kCopied || B::kCopied;
  static constexpr int kProducers = A::kProducers > B::kProducers ? A::kProducers : B::kProducers;
  static constexpr int kThreads = kProducers + 2 * HopperTile::kGroup;
  static constexpr bool kDynamic = true;
  static constexpr int kStages = 204800 / (sizeof(typename A::Tile) + sizeof(typename B::Tile));
  static_assert(kStages >= 3, "copies of one stage are on their way while the next is waited for");
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
    __trap();  // never launched there (hopper_lacks)
#else
    if (threadIdx.x == 0) start(s);
    __syncthreads();
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < kProducers) return produce(s);
    consume(s, (thread - kProducers) / HopperTile::kGroup);
#endif
  }

 private:
  static constexpr int kConsumers = (kThreads - kProducers) / kWarpSize;  // warps
  static constexpr uint32_t kBoxBytes = A::kBoxBytes + B::kBoxBytes;
  // To `full` of a stage: of each warp that loads, and of the thread that asks TMA.
  static constexpr int kArrivals = (kByThreads ? kProducers / kWarpSize : 0) + (kBoxBytes > 0 ? 1 : 0);
  // Registers of a producer and of one who multiplies; of 512 threads each has as many from the start.
  static constexpr bool kShifts = kThreads < 512;
  static constexpr int kGiven = kByThreads ? 136 : 40, kTaken = kByThreads ? 184 : 232;
  // Steps whose numbers a producer has in registers at once. For those of two operands, or of twice the rows, there is
  // no room, and copies need none.
  static constexpr int kAhead = kProducers > HopperTile::kGroup && !kCopied && kBoxBytes > 0 ? 2 : 1;
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
      init(s.full[i], kArrivals);
      init(s.empty[i], kConsumers);
    }
    publish_barriers();
  }

  __device__ int begin() const { return static_cast<int>(blockIdx.z) * part; }
  __device__ int end() const { return k < begin() + part ? k : begin() + part; }
  __device__ int steps() const { return end() > begin() ? (end() - begin() + HopperTile::kK - 1) / HopperTile::kK : 0; }
  __device__ int number(int step) const { return begin() + step * HopperTile::kK; }

  template <class Body>
  __device__ void for_each_tile(const Body& body) const {
    for (int tile = static_cast<int>(blockIdx.x); tile < tiles; tile += static_cast<int>(gridDim.x)) {
      const int tile_m = tiles_n.quotient(tile);
      body(tile_m * HopperTile::kM, tiles_n.remainder(tile, tile_m) * kN);
    }
  }

  __device__ void produce(Shared& s) const {
    if constexpr (kShifts) give_registers<kGiven>();
    if (!kByThreads && threadIdx.x != 0) return;
    Producer producer{*this, s};
    for_each_tile([&](int first_m, int first_n) { producer.bring(first_m, first_n); });
    producer.finish();
  }

  // What one producing thread does.
  struct Producer {
    using ShareA = typename A::template Share<kAhead>;
    using ShareB = typename B::template Share<kAhead>;

    const HopperGemm& of;
    Shared& s;
    Place at = {};
    Mbarrier* sent = nullptr;  // of the stage whose copies are on their way

    __device__ void bring(int first_m, int first_n) {
      ShareA a(of.a, first_m);
      ShareB b(of.b, first_n);
      for (int step = 0; step < of.steps(); step += kAhead) {
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          a.fetch(i, of.number(step + i), of.end());
          b.fetch(i, of.number(step + i), of.end());
        }
#pragma unroll
        for (int i = 0; i < kAhead; ++i)
          if (step + i < of.steps()) fill(a, b, i, of.number(step + i));
      }
    }

    __device__ void fill(const ShareA& a, const ShareB& b, int i, int from) {
      Mbarrier& full = s.full[at.stage];
      wait(s.empty[at.stage], at.phase ^ 1);
      if (kBoxBytes > 0 && threadIdx.x == 0) {
        arrive_expecting(full, kBoxBytes);
        a.ask(s.a[at.stage], full, from);
        b.ask(s.b[at.stage], full, from);
      }
      a.put(i, from, of.end(), s.a[at.stage]);
      b.put(i, from, of.end(), s.b[at.stage]);
      hand_over(full);
      at.next();
    }

    // A stage with copies is handed over when those of the next are on their way.
    __device__ void hand_over(Mbarrier& full) {
      if constexpr (kCopied) {
        end_copy_group();
        wait_for_copies<1>();
        if (sent) say_full(*sent);
        sent = &full;
      } else if constexpr (kByThreads) {
        say_full(full);
      }
    }
    __device__ void finish() {
      if constexpr (kCopied) wait_for_copies<0>();
      if (sent) say_full(*sent);
    }

    // Each lane publishes what it wrote; the first one arrives for the warp, since arrivals at a barrier queue.
    __device__ static void say_full(Mbarrier& full) {
      publish_writes();
      __syncwarp();
      if (threadIdx.x % kWarpSize == 0) arrive(full);
    }
  };

  __device__ void consume(Shared& s, int group) const {
    if constexpr (kShifts) take_registers<kTaken>();
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
        wgmma<kN, A::kTurned, B::kTurned>(sum, s.a[at.stage].descriptor(64 * group, from),
                                          s.b[at.stage].descriptor(0, from));
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
