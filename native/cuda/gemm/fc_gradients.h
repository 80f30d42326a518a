// Gradients of an FC, y = x W^T + b over `rows` rows, in one launch that reads dY once: dX = dY W, dW = dY^T X and db,
// the column sums of dY. The rows are split as for dW. The blocks of a split are adjacent, first those of dW, then
// those of dX: data that one kind reads the other finds in L2, as long as the running splits fit there. db is summed
// from the tiles of dY in shared memory.
//
// The shape alone decides the splits, and they are added in order, without atomics: every GPU computes the same bits.
#pragma once
#include "cuda/epilogue/column_sums.h"
#include "cuda/gemm/gemm.h"

namespace morphmlp::cuda {

// Shape (y [rows, n], x [rows, k]) and requested gradients: of x where `dx`, of weight and bias where not null.
struct FcBackward {
  int64_t rows, n, k;
  WeightMatrix weight;
  bool dx;
  float *dweight, *dbias;
};

// Sums the first operand, by columns, over k: a thread sums half of the k of each tile for one column.
template <class Tile>
class ColumnTotals {
 public:
  struct Shared {
    float at[2][Tile::kM];
  };
  static_assert(2 * Tile::kM == Tile::kThreads && Tile::kK % 2 == 0, "threads must cover a tile");

  explicit __device__ ColumnTotals(bool wanted) : wanted_(wanted) {}

  template <class Rows>
  __device__ void operator()(const Rows& tile) {
    if (!wanted_) return;
    float sum = 0;  // the tile by itself: long sums keep their digits
#pragma unroll
    for (int i = 0; i < Tile::kK / 2; ++i) sum += load(&tile[half() * (Tile::kK / 2) + i][column()]);
    sum_ += sum;
  }

  __device__ void leave(Shared& s) const { s.at[half()][column()] = sum_; }
  __device__ static float of(const Shared& s, int column) { return s.at[0][column] + s.at[1][column]; }

 private:
  __device__ static int column() { return static_cast<int>(threadIdx.x) % Tile::kM; }
  __device__ static int half() { return static_cast<int>(threadIdx.x) / Tile::kM; }

  float sum_ = 0;
  bool wanted_;
};

// Computes a tile of dW for a split and, in the first column of tiles where `totals` is not null, the split of db.
template <class P, class Grad, class X>
struct WeightTile : P::template Kernel<ByColumn<Grad>, ByColumn<X>, StorePartial> {
  using Base = typename P::template Kernel<ByColumn<Grad>, ByColumn<X>, StorePartial>;
  using Tile = typename P::Tile;
  using Totals = ColumnTotals<Tile>;
  union Shared {
    typename Base::Shared operands;
    typename Totals::Shared totals;
  };

  float* totals;  // of split 0

  __device__ void make(Shared& s, int tile, const KRange& over) const {
    const int tile_m = this->tiles_n.quotient(tile);
    const int first_m = tile_m * Tile::kM, first_n = this->tiles_n.remainder(tile, tile_m) * Tile::kN;
    const bool wanted = totals && first_n == 0;
    Totals mine(wanted);
    typename Base::Sums sum = {};
    this->sum_tile(s.operands, first_m, first_n, over, sum, mine);
    this->finish(first_m, first_n, sum);
    if (!wanted) return;
    __syncthreads();  // the operands, which totals overwrite, have been read
    mine.leave(s.totals);
    __syncthreads();
    const int i = static_cast<int>(threadIdx.x);
    if (i < Tile::kM && first_m + i < this->a.size)
      totals[blockIdx.z * this->out.size + first_m + i] = Totals::of(s.totals, i);
  }
};

// The grid is (tiles of a split, 1, splits).
template <class P, class Grad, class X, class Weight, class Epilogue>
struct FcGradients {
  using ToWeight = WeightTile<P, Grad, X>;
  using ToInput = typename P::template Kernel<ByRow<Grad>, ByColumn<Weight>, Epilogue>;
  static constexpr int kThreads = ToInput::kThreads, kBlocks = ToInput::kBlocks;
  union Shared {
    typename ToWeight::Shared weight;
    typename ToInput::Shared input;
  };

  ToWeight weight;
  ToInput input;
  int weight_tiles, input_tiles;  // a split

  __device__ void operator()(Shared& s) const {
    const int tile = static_cast<int>(blockIdx.x);
    if (tile < weight_tiles) return weight.make(s.weight, tile, k_range_of_block(weight.k, weight.part));
    const int own = static_cast<int>(blockIdx.z) * input_tiles + tile - weight_tiles;
    if (input.tiles_n.quotient(own) * P::Tile::kM < input.a.size) input.make(s.input, own, {0, input.k});
  }
};

// Stores the sums of all splits: dW, then db, each unless null.
struct StoreWeightAndBiasGradient {
  float *dweight, *dbias;
  int64_t size;
  __device__ void operator()(int64_t i, float value) const {
    if (i >= size) {
      dbias[i - size] = value;
    } else if (dweight) {
      dweight[i] = value;
    }
  }
};

// Grid of the launch; depends on the shape alone.
template <class Tile>
struct FcGrid {
  static_assert(Tile::kM % Tile::kK == 0, "parts are whole tiles of rows");

  explicit FcGrid(const FcBackward& p)
      : part(std::max<int64_t>(1, blocks_of(blocks_of(p.rows, parts_for<Tile>(p.n, p.k, p.rows)), Tile::kM)) *
             Tile::kM),
        parts(std::max<int64_t>(1, blocks_of(p.rows, part))),
        across(std::max<int64_t>(1, blocks_of(p.k, Tile::kN))),
        weight_tiles(p.dweight || p.dbias ? blocks_of(p.n, Tile::kM) * across : 0),
        input_tiles(p.dx ? part / Tile::kM * across : 0),
        stride(weight_tiles > 0 ? p.n * p.k + (p.dbias ? p.n : 0) : 0) {}

  int64_t part, parts, across;        // rows of a split; number of splits; tiles side by side
  int64_t weight_tiles, input_tiles;  // a split
  int64_t stride;                     // of the sums of a split: dW, then db
};

template <class P, class Grad, class X, class Epilogue>
void launch_fc_gradients(const FcBackward& p, const Grad& grad, const X& x, const Epilogue& epilogue) {
  using Kernel = FcGradients<P, Grad, X, WeightMatrix, Epilogue>;
  const FcGrid<typename P::Tile> at(p);
  const Workspace<float> sums(at.parts * at.stride);
  const Divisor tiles_n(at.across);
  const int rows = as_int(p.rows), n = as_int(p.n), k = as_int(p.k), part = as_int(at.part);
  const int64_t size = p.n * p.k;
  const typename Kernel::ToWeight weight{
      {by_column(grad, n), by_column(x, k), StorePartial{sums.data(), k, at.stride}, rows, part, tiles_n},
      p.dbias ? sums.data() + size : nullptr};
  const typename Kernel::ToInput input{by_row(grad, rows), by_column(p.weight, k), epilogue, n, n, tiles_n};
  launch({at.weight_tiles + at.input_tiles, 1, at.parts},
         Kernel{weight, input, as_int(at.weight_tiles), as_int(at.input_tiles)});
  reduce_partials(sums.data(), at.parts, at.stride, StoreWeightAndBiasGradient{p.dweight, p.dbias, size});
}

// Computes dW and db, where wgmma takes dW, and returns the request without them.
template <class Grad, class X>
FcBackward weight_gradient_on_hopper(FcBackward p, const Grad& grad, const X& x) {
  const auto left = by_column(grad, p.n);
  const auto right = by_column(x, p.k);
  if constexpr (kIsDense<std::decay_t<decltype(left)>> && kIsDense<std::decay_t<decltype(right)>>)
    if (p.dweight && hopper_takes(left, right, p.rows)) {
      weight_gradient<Bf16>(grad, x, p.rows, p.n, p.k, p.dweight);
      bias_gradient(grad, p.rows, p.n, p.dbias);
      p.dweight = p.dbias = nullptr;
    }
  return p;
}

// Computes with wgmma the gradients that it takes, one launch each, and returns the request without them.
template <class Grad, class X, class Epilogue>
FcBackward gradients_on_hopper(FcBackward p, const Grad& grad, const X& x, const Epilogue& epilogue) {
  if (p.rows == 0 || p.n == 0 || p.k == 0) return p;
  const auto rows = by_row(grad, p.rows);
  const auto weight = by_column(p.weight, p.k);
  if constexpr (kIsDense<std::decay_t<decltype(rows)>>)
    if (p.dx && hopper_takes(rows, weight, p.n)) {
      multiply_on_hopper(rows, weight, p.n, epilogue, 1);
      p.dx = false;
    }
  return weight_gradient_on_hopper(p, grad, x);
}

// Computes the requested gradients. `grad` and `x` are matrices of p.rows rows; `epilogue` takes dX.
template <class T, class Grad, class X, class Epilogue>
void fc_gradients(const FcBackward& p, const Grad& grad, const X& x, const Epilogue& epilogue) {
  if constexpr (std::is_same_v<T, Bf16>)
    if (gemm_backend() == GemmBackend::wgmma)
      return launch_fc_gradients<GemmFor<T>>(gradients_on_hopper(p, grad, x, epilogue), grad, x, epilogue);
  launch_fc_gradients<GemmFor<T>>(p, grad, x, epilogue);
}

}  // namespace morphmlp::cuda
