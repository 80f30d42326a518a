// Product of f32 tensors on the FFMA units. A block computes a tile of 128 x 64, a thread 8 x 4 of it in registers.
// Both operands go through two buffers in shared memory, 16 values of k at a time: the next tile loads while one is
// multiplied. Four adjacent values are loaded at once.
#pragma once
#include "cuda/gemm/tile_loop.h"

namespace morphmlp::cuda {

struct FfmaTile {
  static constexpr int kM = 128, kN = 64, kK = 16, kThreads = 256;
  static constexpr int kPad = 4;  // a row: keeps 16-byte alignment, halves bank conflicts
};

// Loads a thread's quads of a tile of kWidth x kK values through registers into shared memory [k][kWidth].
template <class Operand, int kWidth>
class Loader;

// Quads along k; rows stay the same for the whole product.
template <class Matrix, int kWidth>
class Loader<ByRow<Matrix>, kWidth> {
 public:
  __device__ void start(const ByRow<Matrix>& a, int first) {
    for (int q = 0; q < kQuads; ++q) {
      const int i = first + index(q);
      inside_[q] = i < a.size;
      row_[q] = a.matrix.row(inside_[q] ? i : 0);
    }
  }

  __device__ void fetch(const ByRow<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) quad_[q] = read_vec<4>(a, row_[q], k + offset(), inside_[q] ? end : 0);
  }

  __device__ void store_shared(float (*tile)[kWidth + FfmaTile::kPad]) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q)
#pragma unroll
      for (int j = 0; j < 4; ++j) tile[offset() + j][index(q)] = quad_[q].at[j];
  }

 private:
  static constexpr int kAcross = FfmaTile::kK / 4;
  static constexpr int kQuads = kWidth * kAcross / FfmaTile::kThreads;
  __device__ static int index(int q) { return (static_cast<int>(threadIdx.x) + q * FfmaTile::kThreads) / kAcross; }
  __device__ static int offset() { return static_cast<int>(threadIdx.x) % kAcross * 4; }

  typename Matrix::Row row_[kQuads];
  bool inside_[kQuads];
  Vec<4> quad_[kQuads];
};

// Quads along the columns; each k is a row of the matrix.
template <class Matrix, int kWidth>
class Loader<ByColumn<Matrix>, kWidth> {
 public:
  __device__ void start(const ByColumn<Matrix>&, int first) { first_ = first; }

  __device__ void fetch(const ByColumn<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      const bool inside = k + depth(q) < end;
      const typename Matrix::Row row = a.matrix.row(inside ? k + depth(q) : 0);
      quad_[q] = read_vec<4>(a, row, first_ + offset(), inside ? a.size : 0);
    }
  }

  __device__ void store_shared(float (*tile)[kWidth + FfmaTile::kPad]) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) store_words(&tile[depth(q)][offset()], packed(quad_[q]));
  }

 private:
  static constexpr int kAcross = kWidth / 4;
  static constexpr int kQuads = kAcross * FfmaTile::kK / FfmaTile::kThreads;
  __device__ static int depth(int q) { return (static_cast<int>(threadIdx.x) + q * FfmaTile::kThreads) / kAcross; }
  __device__ static int offset() { return static_cast<int>(threadIdx.x) % kAcross * 4; }

  int first_;
  Vec<4> quad_[kQuads];
};

template <class A, class B, class Out>
struct FfmaGemm {
  static constexpr int kThreads = FfmaTile::kThreads, kBlocks = 2;
  struct alignas(16) Shared {
    float a[2][FfmaTile::kK][FfmaTile::kM + FfmaTile::kPad];
    float b[2][FfmaTile::kK][FfmaTile::kN + FfmaTile::kPad];
  };

  A a;
  B b;
  Out out;
  int k, part;  // block z sums k in [z part, (z + 1) part)
  Divisor tiles_n;

  __device__ void operator()(Shared& s) const { make(s, static_cast<int>(blockIdx.x), k_range_of_block(k, part)); }

  __device__ void make(Shared& s, int tile, const KRange& over) const {
    const int tile_m = tiles_n.quotient(tile);
    const int first_m = tile_m * FfmaTile::kM, first_n = tiles_n.remainder(tile, tile_m) * FfmaTile::kN;
    NoTileObserver no_observer;
    Sums sum = {};
    sum_tile(s, first_m, first_n, over, sum, no_observer);
    finish(first_m, first_n, sum);
  }

 protected:
  using Sums = float[8][4];

  // A thread computes rows 4 y + (0 .. 3) and 64 more, columns 4 x + (0 .. 3).
  __device__ static int thread_x() { return static_cast<int>(threadIdx.x) % 16; }
  __device__ static int thread_y() { return static_cast<int>(threadIdx.x) / 16; }
  __device__ static int row_of(int i) { return thread_y() * 4 + i % 4 + i / 4 * 64; }

  template <class Observer>
  __device__ void sum_tile(Shared& s, int first_m, int first_n, const KRange& over, Sums& sum, Observer& watch) const {
    for_each_tile<Loader<A, FfmaTile::kM>, Loader<B, FfmaTile::kN>, FfmaTile::kK>(
        *this, s, first_m, first_n, over, [&](const auto& tile_a, const auto& tile_b) {
          watch(tile_a);
          multiply(tile_a, tile_b, sum);
        });
  }

  __device__ static void multiply(const float (*tile_a)[FfmaTile::kM + FfmaTile::kPad],
                                  const float (*tile_b)[FfmaTile::kN + FfmaTile::kPad], float (&sum)[8][4]) {
#pragma unroll
    for (int step = 0; step < FfmaTile::kK; ++step) {
      const float4 low = load_words<float4>(&tile_a[step][thread_y() * 4]);
      const float4 high = load_words<float4>(&tile_a[step][thread_y() * 4 + 64]);
      const float4 right = load_words<float4>(&tile_b[step][thread_x() * 4]);
      const float x[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
      const float y[4] = {right.x, right.y, right.z, right.w};
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
    }
  }

  __device__ void finish(int first_m, int first_n, Sums& sum) const {
    apply_epilogue(first_m, first_n, sum);
    write_results(first_m, first_n, sum);
  }

  __device__ void apply_epilogue(int first_m, int first_n, Sums& sum) const {
    for_each_result(first_m, first_n, sum, [&](const typename Out::Row& row, int n, float& result) {
      float value[] = {result};
      out.apply(row, n, value);
      result = value[0];
    });
  }

  __device__ void write_results(int first_m, int first_n, Sums& sum) const {
    for_each_result(first_m, first_n, sum, [&](const typename Out::Row& row, int n, float result) {
      const float value[] = {result};
      out.write(row, n, value);
    });
  }

 private:
  // body(row, n, result) for the results of this thread inside the matrix.
  template <class Body>
  __device__ void for_each_result(int first_m, int first_n, Sums& sum, const Body& body) const {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int m = first_m + row_of(i);
      if (m >= a.size) continue;
      const typename Out::Row row = out.row(m);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int n = first_n + thread_x() * 4 + j;
        if (n < b.size) body(row, n, sum[i][j]);
      }
    }
  }
};

}  // namespace morphmlp::cuda
