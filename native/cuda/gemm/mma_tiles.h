// Loads operands of tensor-core products into shared memory, 16 bytes a thread at once. `Kind` (mma_bf16.h) defines
// Element, the type in shared memory; the tile sizes; and the tiles Rows and Columns with piece(i, k), the address of
// 16 bytes from (i, k) on. An operand by rows is stored as [i][k], one by columns as [k][i].
#pragma once
#include "cuda/gemm/async_copy.h"
#include "cuda/gemm/operands.h"

namespace morphmlp::cuda {

// Loads a thread's 16-byte pieces of a tile of kWidth x kK values: through registers, or by cp.async.
template <class Kind, class Operand, int kWidth>
class MmaLoader;

// Shared by both kinds of operand: piece q of this thread is piece(q) of the tile.
template <class Kind, int kWidth>
struct Pieces {
  using Element = typename Kind::Element;
  static constexpr int kPiece = 16 / sizeof(Element);
  static constexpr int kAll = kWidth * Kind::kK / kPiece;
  static constexpr int kEach = (kAll + Kind::kThreads - 1) / Kind::kThreads;

  __device__ static int piece(int q) { return static_cast<int>(threadIdx.x) + q * Kind::kThreads; }
  // Whether piece q exists; a constant where kThreads divides the pieces.
  __device__ static bool exists(int q) { return kAll % Kind::kThreads == 0 || piece(q) < kAll; }

  // Values from c on of a row; zeros from `end` on.
  template <class Operand, class Row>
  __device__ static uint4 read(const Operand& a, const Row& row, int c, int end) {
    return packed(read_vec<kPiece>(a, row, c, end));
  }

  // Copies them into shared memory, by cp.async where they are stored as Element.
  template <class Operand, class Row>
  __device__ static void start_copy(Element* to, const Operand& a, const Row& row, int c, int end) {
    if (const Element* from = c + kPiece <= end ? a.matrix.address(row, c) : nullptr) return copy_async(to, from);
    store_words(to, read(a, row, c, end));
  }

  uint4 value[kEach] = {};
};

// Pieces along k; rows stay the same for the whole product.
template <class Kind, class Matrix, int kWidth>
class MmaLoader<Kind, ByRow<Matrix>, kWidth> : Pieces<Kind, kWidth> {
  using Base = Pieces<Kind, kWidth>;

 public:
  using Tile = typename Kind::template Rows<kWidth>;

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
    for (int q = 0; q < Base::kEach; ++q) this->value[q] = Base::read(a, row_[q], k + offset(q), inside_[q] ? end : 0);
  }

  __device__ void store_shared(Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q)
      if (Base::exists(q)) store_words(tile.piece(index(q), offset(q)), this->value[q]);
  }

  __device__ void start_copy(const ByRow<Matrix>& a, int k, int end, Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q)
      if (Base::exists(q))
        Base::start_copy(tile.piece(index(q), offset(q)), a, row_[q], k + offset(q), inside_[q] ? end : 0);
  }

 private:
  static constexpr int kAcross = Kind::kK / Base::kPiece;
  __device__ static int index(int q) { return Base::piece(q) / kAcross; }
  __device__ static int offset(int q) { return Base::piece(q) % kAcross * Base::kPiece; }

  typename Matrix::Row row_[Base::kEach];
  bool inside_[Base::kEach];
};

// Pieces along the columns; each k is a row of the matrix.
template <class Kind, class Matrix, int kWidth>
class MmaLoader<Kind, ByColumn<Matrix>, kWidth> : Pieces<Kind, kWidth> {
  using Base = Pieces<Kind, kWidth>;

 public:
  using Tile = typename Kind::template Columns<kWidth>;

  __device__ void start(const ByColumn<Matrix>&, int first) { first_ = first; }

  __device__ void fetch(const ByColumn<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q) {
      const bool inside = Base::exists(q) && k + depth(q) < end;
      const typename Matrix::Row row = a.matrix.row(inside ? k + depth(q) : 0);
      this->value[q] = Base::read(a, row, first_ + offset(q), inside ? a.size : 0);
    }
  }

  __device__ void store_shared(Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q)
      if (Base::exists(q)) store_words(tile.piece(offset(q), depth(q)), this->value[q]);
  }

  __device__ void start_copy(const ByColumn<Matrix>& a, int k, int end, Tile& tile) const {
#pragma unroll
    for (int q = 0; q < Base::kEach; ++q) {
      if (!Base::exists(q)) continue;
      const bool inside = k + depth(q) < end;
      const typename Matrix::Row row = a.matrix.row(inside ? k + depth(q) : 0);
      Base::start_copy(tile.piece(offset(q), depth(q)), a, row, first_ + offset(q), inside ? a.size : 0);
    }
  }

 private:
  static constexpr int kAcross = kWidth / Base::kPiece;
  __device__ static int depth(int q) { return Base::piece(q) / kAcross; }
  __device__ static int offset(int q) { return Base::piece(q) % kAcross * Base::kPiece; }

  int first_;
};

// Pipelines the tiles of an operand through shared memory. Copied tiles are issued two steps ahead into a third buffer;
// computed ones pass through registers, one step ahead.
template <class Kind, class Operand, int kWidth>
class MmaStream {
 public:
  using Load = MmaLoader<Kind, Operand, kWidth>;
  using Tile = typename Load::Tile;
  using Stored = typename StoredAs<decltype(Operand::matrix)>::type;
  static constexpr bool kCopied = std::is_same_v<Stored, typename Kind::Element>;
  static constexpr int kBuffers = kCopied ? 3 : 2;
  using Tiles = Tile[kBuffers];

  __device__ MmaStream(const Operand& a, int first, int begin, int end) : a_(a), begin_(begin), end_(end) {
    load_.start(a, first);
  }

  __device__ void start_copy(int step, Tiles& tiles) const {
    if constexpr (kCopied)
      if (copied() && has(step)) load_.start_copy(a_, at(step), end_, tiles[step % kBuffers]);
  }
  __device__ void fetch(int step) {
    if (!copied() && has(step)) load_.fetch(a_, at(step), end_);
  }
  __device__ void store_shared(int step, Tiles& tiles) const {
    if (!copied()) load_.store_shared(tiles[step % kBuffers]);
  }
  __device__ static const Tile& tile(int step, const Tiles& tiles) { return tiles[step % kBuffers]; }

 private:
  __device__ bool copied() const { return kCopied && a_.run >= Pieces<Kind, kWidth>::kPiece; }
  __device__ int at(int step) const { return begin_ + step * Kind::kK; }
  __device__ bool has(int step) const { return at(step) < end_; }

  const Operand& a_;
  int begin_, end_;
  Load load_;
};

}  // namespace morphmlp::cuda
