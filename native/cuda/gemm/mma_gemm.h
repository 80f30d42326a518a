// Product on the tensor cores by mma.sync, summed in f32. Operands go through buffers in shared memory, kK values of k
// at a time.
#pragma once
#include "cuda/gemm/mma_bf16.h"
#include "cuda/gemm/mma_tiles.h"

namespace morphmlp::cuda {

template <class Kind, class A, class B, class Out>
struct MmaGemm {
  static constexpr int kThreads = Kind::kThreads, kBlocks = Kind::kBlocks;
  using StreamA = MmaStream<Kind, A, Kind::kM>;
  using StreamB = MmaStream<Kind, B, Kind::kN>;
  struct Shared {
    typename StreamA::Tiles a;
    typename StreamB::Tiles b;
  };

  A a;
  B b;
  Out out;
  int k, part;  // block z sums k in [z part, (z + 1) part)
  Divisor tiles_n;

  __device__ void operator()(Shared& s) const { make(s, static_cast<int>(blockIdx.x), k_range_of_block(k, part)); }

  __device__ void make(Shared& s, int tile, const KRange& over) const {
    const int tile_m = tiles_n.quotient(tile);
    const int first_m = tile_m * Kind::kM, first_n = tiles_n.remainder(tile, tile_m) * Kind::kN;
    NoTileObserver no_observer;
    Sums sum = {};
    sum_tile(s, first_m, first_n, over, sum, no_observer);
    finish(first_m, first_n, sum);
  }

 protected:
  using Sums = typename Kind::Sums;
  static constexpr int kWarpsN = Kind::kN / Kind::kWarpN;
  static_assert(Kind::kM / Kind::kWarpM * kWarpsN * kWarpSize == kThreads, "warps must cover the tile");

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
  // First row and column of this warp's part of the tile.
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarpSize; }
  __device__ static int warp_m() { return warp() / kWarpsN * Kind::kWarpM; }
  __device__ static int warp_n() { return warp() % kWarpsN * Kind::kWarpN; }

  template <class Observer>
  __device__ void sum_tile(Shared& s, int first_m, int first_n, const KRange& over, Sums& sum, Observer& watch) const {
    StreamA stream_a(a, first_m, over.begin, over.end);
    StreamB stream_b(b, first_n, over.begin, over.end);
    multiply(s, stream_a, stream_b, (over.end - over.begin + Kind::kK - 1) / Kind::kK, sum, watch);
  }

  template <class Observer>
  __device__ static void multiply(Shared& s, StreamA& a, StreamB& b, int steps, Sums& sum, Observer& watch) {
    const auto send = [&](int step) {
      a.start_copy(step, s.a);
      b.start_copy(step, s.b);
      end_copy_group();
    };
    const auto fetch = [&](int step) {
      a.fetch(step);
      b.fetch(step);
    };
    send(0);
    send(1);
    fetch(0);
    for (int step = 0; step < steps; ++step) {
      a.store_shared(step, s.a);
      b.store_shared(step, s.b);
      wait_for_copies<1>();
      __syncthreads();  // one a step is enough: who writes a buffer again has passed the one after it was read
      watch(a.tile(step, s.a).at);
      send(step + 2);
      fetch(step + 1);
      Kind::multiply(a.tile(step, s.a), warp_m(), b.tile(step, s.b), warp_n(), sum);
    }
  }

  __device__ void finish(int first_m, int first_n, Sums& sum) const {
    apply_epilogue(first_m, first_n, sum);
    write_results(first_m, first_n, sum);
  }

  __device__ void apply_epilogue(int first_m, int first_n, Sums& sum) const {
    for_each_pair(first_m, first_n, sum,
                  [&](const typename Out::Row& row, int n, float(&pair)[2]) { apply_pair(out, row, n, b.size, pair); });
  }

  __device__ void write_results(int first_m, int first_n, Sums& sum) const {
    for_each_pair(first_m, first_n, sum, [&](const typename Out::Row& row, int n, const float(&pair)[2]) {
      store_pair(out, row, n, b.size, pair);
    });
  }

 private:
  // body(row, n, results n and n + 1) for the results of this lane in rows of the matrix: rows lane / 4 of each 8,
  // columns 2 (lane % 4) and the next of each 8.
  template <class Body>
  __device__ void for_each_pair(int first_m, int first_n, Sums& sum, const Body& body) const {
#pragma unroll
    for (int i = 0; i < 2 * Kind::kTilesM; ++i) {
      const int m = first_m + warp_m() + 8 * i + lane() / 4;
      if (m >= a.size) continue;
      const typename Out::Row row = out.row(m);
#pragma unroll
      for (int j = 0; j < Kind::kTilesN; ++j) {
        float* results = &sum[i / 2][j][i % 2 * 2];
        float pair[] = {results[0], results[1]};
        body(row, first_n + warp_n() + 8 * j + lane() % 4 * 2, pair);
        results[0] = pair[0], results[1] = pair[1];
      }
    }
  }
};

}  // namespace morphmlp::cuda
