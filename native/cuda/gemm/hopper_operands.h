// How the operands of the product by wgmma (hopper_gemm.h) get into shared memory, swizzled by 128 bytes: as boxes by
// TMA where they lie dense, else in pieces of 16 bytes by threads, who gather, norm or mix them as they load.
#pragma once
#include "cuda/gemm/hopper/tma.h"
#include "cuda/gemm/hopper/wgmma.h"
#include "cuda/gemm/mma_tiles.h"

namespace morphmlp::cuda {

struct HopperTile {
  static constexpr int kM = 128, kK = kBoxColumns, kGroup = 128;

  // How many threads load what TMA cannot, for tiles of n columns: of 512 threads each has 128 registers, too few for
  // the sums of wide tiles.
  static constexpr int loaders(int n) { return n == 112 ? 2 * kGroup : kGroup; }
};

// kWidth rows or columns of an operand and kK of k: by rows one box of 64 numbers of k, by columns boxes of 64 columns,
// in which k counts the rows.
template <bool kTurned, int kWidth>
struct alignas(1024) SwizzledTile {
  static constexpr int kBoxes = kTurned ? (kWidth + kBoxColumns - 1) / kBoxColumns : 1;
  static constexpr int kBoxRows = kTurned ? HopperTile::kK : kWidth;

  // From row or column `first` of the tile on, a multiple of 64, and number k, a multiple of 16.
  __device__ uint64_t descriptor(int first, int k) const {
    constexpr uint32_t kEightRows = 8 * kBoxColumns * sizeof(Bf16);
    const Bf16* start = kTurned ? &at[first / kBoxColumns][k][0] : &at[0][first][k];
    return matrix_descriptor(shared_address(start), sizeof(at[0]), kEightRows);
  }

  // Where the eight numbers lie that (i, k) is the first of: along k, or along i in a turned one.
  __device__ Bf16* piece(int i, int k) {
    const int row = kTurned ? k : i, column = kTurned ? i : k;
    return &at[column / kBoxColumns][row][(column / 8 ^ row) % 8 * 8];
  }

  Bf16 at[kBoxes][kBoxRows][kBoxColumns];
};

// An operand that TMA brings: one thread asks for its boxes. `Share` is what a producing thread does of a tile.
template <bool kTurnedBoxes, int kWidth>
struct ByTma {
  static constexpr bool kTurned = kTurnedBoxes, kByThreads = false, kCopied = false;
  using Tile = SwizzledTile<kTurned, kWidth>;
  static constexpr uint32_t kBoxBytes = sizeof(Tile);
  static constexpr int kProducers = HopperTile::kGroup;

  TensorMap map;

  template <int>
  struct Share {
    const TensorMap& map;
    int first;

    __device__ Share(const ByTma& of, int first) : map(of.map), first(first) {}
    __device__ void ask(Tile& to, Mbarrier& full, int k) const {
      for (int box = 0; box < Tile::kBoxes; ++box)
        load_box(&to.at[box][0][0], map, full, kTurned ? first + box * kBoxColumns : k, kTurned ? k : first);
    }
    __device__ void fetch(int, int, int) {}
    __device__ void put(int, int, int, Tile&) const {}
  };
};

// How so many threads share pieces. All are whole: eight numbers at once, or zeros (hopper_reads).
template <int kLoaders>
struct HopperPieces {
  using Element = Bf16;
  static constexpr int kK = HopperTile::kK, kThreads = kLoaders;
  static constexpr bool kWhole = true;
  template <int kWidth>
  using Rows = SwizzledTile<false, kWidth>;
  template <int kWidth>
  using Columns = SwizzledTile<true, kWidth>;
};

// An operand that kLoaders threads load: straight into shared memory where it lies there as it is, else through
// registers.
template <class Operand, int kWidth, int kLoaders>
struct ByThreads {
  using Load = MmaLoader<HopperPieces<kLoaders>, Operand, kWidth>;
  using Tile = typename Load::Tile;
  using Stored = typename StoredAs<decltype(Operand::matrix)>::type;
  static constexpr bool kTurned = kIsByColumn<Operand>, kByThreads = true, kCopied = std::is_same_v<Stored, Bf16>;
  static constexpr uint32_t kBoxBytes = 0;
  static constexpr int kProducers = kLoaders;

  Operand operand;

  // Of kAhead steps at once, so that more is on its way from memory. Their loaders differ in the numbers alone: what
  // they know of rows is kept once.
  template <int kAhead>
  class Share {
   public:
    __device__ Share(const ByThreads& of, int first) : operand_(of.operand) {
      for (Load& load : load_) load.start(operand_, first);
    }
    __device__ void ask(Tile&, Mbarrier&, int) const {}
    __device__ void fetch(int i, int k, int end) {
      if constexpr (!kCopied)
        if (k < end) load_[i].fetch(operand_, k, end);
    }
    __device__ void put(int i, int k, int end, Tile& to) const {
      if constexpr (kCopied)
        load_[i].send(operand_, k, end, to);
      else
        load_[i].put(to);
    }

   private:
    const Operand& operand_;
    Load load_[kAhead];
  };
};

}  // namespace morphmlp::cuda
