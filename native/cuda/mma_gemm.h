// The product of bf16 tensors, on the tensor cores (mma.sync), summed in f32. A block makes a tile of 128 x 112: all
// widths of the networks are multiples of 56. Each of its 8 warps makes 32 x 56. Operands are rounded to bf16 as they
// are loaded, weights too, and go through shared memory in buffers, 32 numbers of k at a time. An operand by rows
// lies there as [i][k], one by columns as [k][i], which ldmatrix turns; 8 numbers of padding a row let its 8 rows lie
// in different banks.
#pragma once
#include "cuda/async_copy.h"
#include "cuda/mma.h"
#include "cuda/operands.h"

namespace morphmlp::cuda {

struct MmaTile {
  static constexpr int kM = 128, kN = 112, kK = 32, kThreads = 256;
  static constexpr int kWarpM = 32, kWarpN = 56;
  static constexpr int kPad = 8;
};

// A thread's share of a tile of kWidth x kK numbers, in octets that lie next to each other: through registers into
// shared memory, and from there into the fragments of mma.
template <class Operand, int kWidth>
class MmaLoader;

// What both kinds of operand share: octet q of this thread is number `octet(q)` of the tile's.
template <int kWidth>
struct Octets {
  static constexpr int kAll = kWidth * MmaTile::kK / 8;
  static constexpr int kEach = (kAll + MmaTile::kThreads - 1) / MmaTile::kThreads;

  __device__ static int octet(int q) { return static_cast<int>(threadIdx.x) + q * MmaTile::kThreads; }
  // Whether octet q exists: known when compiled where threads divide them.
  __device__ static bool exists(int q) { return kAll % MmaTile::kThreads == 0 || octet(q) < kAll; }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }

  uint4 value[kEach];
};

// Numbers c .. c + 7 of a row as bf16, those from `end` on as zeros: by 16 bytes at once where they lie so.
template <class Operand, class Row>
__device__ uint4 octet_of(const Operand& a, const Row& row, int c, int end) {
  if constexpr (kHasOctets<decltype(a.matrix)>)
    if (a.octets && c + 8 <= end) return a.matrix.octet(row, c);
  Octet value;
#pragma unroll
  for (int i = 0; i < 8; ++i) value.at[i] = c + i < end ? a.matrix.at(row, c + i) : 0.0f;
  return packed(value);
}

// The same into shared memory, where they lie as they are by a copy that goes on.
template <class Operand, class Row>
__device__ void send_octet(Bf16* to, const Operand& a, const Row& row, int c, int end) {
  if (const Bf16* from = c + 8 <= end ? a.matrix.octet_at(row, c) : nullptr) return copy_async(to, from);
  store_octet(to, octet_of(a, row, c, end));
}

// Octets run along k; the rows stay the same for the whole product.
template <class Matrix, int kWidth>
class MmaLoader<ByRow<Matrix>, kWidth> : Octets<kWidth> {
  using Base = Octets<kWidth>;

 public:
  struct alignas(16) Tile {
    Bf16 at[kWidth][MmaTile::kK + MmaTile::kPad];
  };

  __device__ void start(const ByRow<Matrix>& a, int first) {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q) {
      const int i = first + index(q);
      inside_[q] = Base::exists(q) && i < a.size;
      row_[q] = a.matrix.row(inside_[q] ? i : 0);
    }
  }

  __device__ void fetch(const ByRow<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q) this->value[q] = octet_of(a, row_[q], k + offset(q), inside_[q] ? end : 0);
  }

  __device__ void put(Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q)
      if (Base::exists(q)) store_octet(&tile.at[index(q)][offset(q)], this->value[q]);
  }

  __device__ void send(const ByRow<Matrix>& a, int k, int end, Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q)
      if (Base::exists(q)) send_octet(&tile.at[index(q)][offset(q)], a, row_[q], k + offset(q), inside_[q] ? end : 0);
  }

  // Rows m .. m + 15 and columns k .. k + 15 as the first operand.
  __device__ static void fragment_a(const Tile& tile, int m, int k, uint32_t (&to)[4]) {
    const int lane = Base::lane();
    ldmatrix(to, &tile.at[m + lane % 16][k + lane / 16 * 8]);
  }

  // Rows n .. n + 7 and all kK columns as the second operand: two words for each 16.
  __device__ static void fragment_b(const Tile& tile, int n, uint32_t (&to)[4]) {
    const int lane = Base::lane();
    ldmatrix(to, &tile.at[n + lane % 8][lane / 8 * 8]);
  }

 private:
  static constexpr int kAcross = MmaTile::kK / 8;
  __device__ static int index(int q) { return Base::octet(q) / kAcross; }
  __device__ static int offset(int q) { return Base::octet(q) % kAcross * 8; }

  typename Matrix::Row row_[Base::kEach];
  bool inside_[Base::kEach];
};

// Octets run along the columns; each k is a row of its own.
template <class Matrix, int kWidth>
class MmaLoader<ByColumn<Matrix>, kWidth> : Octets<kWidth> {
  using Base = Octets<kWidth>;

 public:
  struct alignas(16) Tile {
    Bf16 at[MmaTile::kK][kWidth + MmaTile::kPad];
  };

  __device__ void start(const ByColumn<Matrix>&, int first) { first_ = first; }

  __device__ void fetch(const ByColumn<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q) {
      const bool inside = Base::exists(q) && k + depth(q) < end;
      const typename Matrix::Row row = a.matrix.row(inside ? k + depth(q) : 0);
      this->value[q] = octet_of(a, row, first_ + offset(q), inside ? a.size : 0);
    }
  }

  __device__ void put(Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q)
      if (Base::exists(q)) store_octet(&tile.at[depth(q)][offset(q)], this->value[q]);
  }

  __device__ void send(const ByColumn<Matrix>& a, int k, int end, Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q) {
      if (!Base::exists(q)) continue;
      const bool inside = k + depth(q) < end;
      const typename Matrix::Row row = a.matrix.row(inside ? k + depth(q) : 0);
      send_octet(&tile.at[depth(q)][offset(q)], a, row, first_ + offset(q), inside ? a.size : 0);
    }
  }

  __device__ static void fragment_a(const Tile& tile, int m, int k, uint32_t (&to)[4]) {
    const int lane = Base::lane();
    ldmatrix_trans(to, &tile.at[k + lane % 8 + lane / 16 * 8][m + lane / 8 % 2 * 8]);
  }

  __device__ static void fragment_b(const Tile& tile, int n, uint32_t (&to)[4]) {
    ldmatrix_trans(to, &tile.at[Base::lane()][n]);
  }

 private:
  static constexpr int kAcross = kWidth / 8;
  __device__ static int depth(int q) { return Base::octet(q) / kAcross; }
  __device__ static int offset(int q) { return Base::octet(q) % kAcross * 8; }

  int first_;
};

// The tiles of an operand on their way through shared memory. Those that are copied leave two steps before they are
// needed, into the third buffer; those that are computed pass through registers, one step before.
template <class Operand, int kWidth>
class MmaStream {
 public:
  using Load = MmaLoader<Operand, kWidth>;
  using Tile = typename Load::Tile;
  static constexpr bool kCopied = kIsCopied<decltype(Operand::matrix)>;
  static constexpr int kBuffers = kCopied ? 3 : 2;
  using Tiles = Tile[kBuffers];

  __device__ MmaStream(const Operand& a, int first, int begin, int end) : a_(a), begin_(begin), end_(end) {
    load_.start(a, first);
  }

  __device__ void send(int step, Tiles& tiles) const {
    if constexpr (kCopied)
      if (copied() && at(step) < end_) load_.send(a_, at(step), end_, tiles[step % kBuffers]);
  }
  __device__ void fetch(int step) {
    if (!copied() && at(step) < end_) load_.fetch(a_, at(step), end_);
  }
  __device__ void put(int step, Tiles& tiles) const {
    if (!copied()) load_.put(tiles[step % kBuffers]);
  }
  __device__ static const Tile& tile(int step, const Tiles& tiles) { return tiles[step % kBuffers]; }

 private:
  __device__ bool copied() const { return kCopied && a_.octets; }
  __device__ int at(int step) const { return begin_ + step * MmaTile::kK; }

  const Operand& a_;
  int begin_, end_;
  Load load_;
};

template <class A, class B, class Out>
struct MmaGemm {
  static constexpr int kThreads = MmaTile::kThreads;
  using StreamA = MmaStream<A, MmaTile::kM>;
  using StreamB = MmaStream<B, MmaTile::kN>;
  using LoadA = typename StreamA::Load;
  using LoadB = typename StreamB::Load;
  struct Shared {
    typename StreamA::Tiles a;
    typename StreamB::Tiles b;
  };

  A a;
  B b;
  Out out;
  int k, part;  // block z sums k in [z part, (z + 1) part)
  Divisor tiles_n;

  __device__ void operator()(Shared& s) const {
    const int tile = static_cast<int>(blockIdx.x), tile_m = tiles_n.quotient(tile);
    const int first_m = tile_m * MmaTile::kM, first_n = tiles_n.remainder(tile, tile_m) * MmaTile::kN;
    const int begin = static_cast<int>(blockIdx.z) * part, end = k < begin + part ? k : begin + part;
    StreamA stream_a(a, first_m, begin, end);
    StreamB stream_b(b, first_n, begin, end);
    Sums sum = {};
    multiply(s, stream_a, stream_b, (end - begin + MmaTile::kK - 1) / MmaTile::kK, sum);
    finish(first_m, first_n, sum);
  }

 private:
  static constexpr int kTilesM = MmaTile::kWarpM / 16, kTilesN = MmaTile::kWarpN / 8, kSteps = MmaTile::kK / 16;
  using Sums = float[kTilesM][kTilesN][4];

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
  // Where this warp's part of the tile begins: two warps lie side by side, four below each other.
  __device__ static int warp_m() { return static_cast<int>(threadIdx.x) / kWarpSize / 2 * MmaTile::kWarpM; }
  __device__ static int warp_n() { return static_cast<int>(threadIdx.x) / kWarpSize % 2 * MmaTile::kWarpN; }

  __device__ static void multiply(Shared& s, StreamA& a, StreamB& b, int steps, Sums& sum) {
    const auto send = [&](int step) {
      a.send(step, s.a);
      b.send(step, s.b);
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
      a.put(step, s.a);
      b.put(step, s.b);
      wait_for_copies<1>();
      __syncthreads();  // one a step is enough: who writes a buffer again has passed the one after it was read
      send(step + 2);
      fetch(step + 1);
      multiply(a.tile(step, s.a), b.tile(step, s.b), sum);
    }
  }

  __device__ static void multiply(const typename LoadA::Tile& tile_a, const typename LoadB::Tile& tile_b, Sums& sum) {
    uint32_t left[kSteps][kTilesM][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int i = 0; i < kTilesM; ++i) LoadA::fragment_a(tile_a, warp_m() + 16 * i, 16 * step, left[step][i]);
#pragma unroll
    for (int j = 0; j < kTilesN; ++j) {
      uint32_t right[4];
      LoadB::fragment_b(tile_b, warp_n() + 8 * j, right);
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
#pragma unroll
        for (int i = 0; i < kTilesM; ++i) mma_m16n8k16(sum[i][j], left[step][i], right[2 * step], right[2 * step + 1]);
    }
  }

  __device__ void finish(int first_m, int first_n, const Sums& sum) const {
#pragma unroll
    for (int i = 0; i < 2 * kTilesM; ++i) {
      const int m = first_m + warp_m() + 8 * i + lane() / 4;
      if (m >= a.size) continue;
      const typename Out::Row row = out.row(m);
#pragma unroll
      for (int j = 0; j < kTilesN; ++j) {
        const float* pair = &sum[i / 2][j][i % 2 * 2];
        put_pair(out, row, first_n + warp_n() + 8 * j + lane() % 4 * 2, b.size, {pair[0], pair[1]});
      }
    }
  }
};

}  // namespace morphmlp::cuda
