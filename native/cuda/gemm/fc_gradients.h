// The gradients of an FC, y = x W^T + b over `rows` rows, from one read of those of y: what is put for x, grad W, the
// weight's, grad^T x, and the bias's, the column sums of grad. Both products are one launch. Rows are cut into the
// parts that the weight's sum is cut into; the blocks of a part follow each other, first those that sum grad^T x over
// it, then those that make its rows of grad W. So what one kind has read the other finds in the L2 cache, as long as
// the parts that run at once fit there. The bias is summed out of the tiles in shared memory that the weight's blocks
// multiply.
//
// Parts are of the shape alone, and are added in order: no atomics, the same bits on every GPU.
#pragma once
#include "cuda/epilogue/column_sums.h"
#include "cuda/gemm/gemm.h"

namespace morphmlp::cuda {

// Of y [rows, n] and x [rows, k]: which gradients are wanted, those of x and, where they are not null, of weight and
// bias.
struct FcBackward {
  int64_t rows, n, k;
  WeightMatrix weight;
  bool dx;
  float *dweight, *dbias;
};

// Sums over k of a product's first operand, which lies by columns: a thread has half of each tile's k of one column.
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
    float sum = 0;  // of the tile first, so that long sums keep their digits
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

// A tile of a part of grad^T x and, from the first column of tiles, the part's sums of grad where `totals` is not null.
template <class P, class Grad, class X>
struct WeightTile : P::template Kernel<ByColumn<Grad>, ByColumn<X>, StorePartial> {
  using Base = typename P::template Kernel<ByColumn<Grad>, ByColumn<X>, StorePartial>;
  using Tile = typename P::Tile;
  using Totals = ColumnTotals<Tile>;
  union Shared {
    typename Base::Shared operands;
    typename Totals::Shared totals;
  };

  float* totals;  // of the first part

  __device__ void make(Shared& s, int tile, const KRange& over) const {
    const int tile_m = this->tiles_n.quotient(tile);
    const int first_m = tile_m * Tile::kM, first_n = this->tiles_n.remainder(tile, tile_m) * Tile::kN;
    const bool wanted = totals && first_n == 0;
    Totals mine(wanted);
    typename Base::Sums sum = {};
    this->sum_tile(s.operands, first_m, first_n, over, sum, mine);
    this->finish(first_m, first_n, sum);
    if (!wanted) return;
    __syncthreads();  // all have read the operands, where totals go now
    mine.leave(s.totals);
    __syncthreads();
    const int i = static_cast<int>(threadIdx.x);
    if (i < Tile::kM && first_m + i < this->a.size)
      totals[blockIdx.z * this->out.size + first_m + i] = Totals::of(s.totals, i);
  }
};

// Blocks (tile, part).
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
  int weight_tiles, input_tiles;  // of a part

  __device__ void operator()(Shared& s) const {
    const int tile = static_cast<int>(blockIdx.x);
    if (tile < weight_tiles) return weight.make(s.weight, tile, k_range_of_block(weight.k, weight.part));
    const int own = static_cast<int>(blockIdx.z) * input_tiles + tile - weight_tiles;
    if (input.tiles_n.quotient(own) * P::Tile::kM < input.a.size) input.make(s.input, own, {0, input.k});
  }
};

// Where sums over all parts go: the weight's, then the bias's, or nowhere.
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

// How the launch is cut, by the shape alone.
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

  int64_t part, parts, across;        // rows of a part; tiles beside each other
  int64_t weight_tiles, input_tiles;  // of a part
  int64_t stride;                     // of a part's sums: the weight's, then the bias's
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

// The same of weight and bias.
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

// `grad` and `x` are matrices of p.rows rows; `put` takes the gradient of x where that is wanted.
template <class T, class Grad, class X, class Epilogue>
void fc_gradients(const FcBackward& p, const Grad& grad, const X& x, const Epilogue& epilogue) {
  if constexpr (std::is_same_v<T, Bf16>)
    if (gemm_backend() == GemmBackend::wgmma)
      return launch_fc_gradients<GemmFor<T>>(gradients_on_hopper(p, grad, x, epilogue), grad, x, epilogue);
  launch_fc_gradients<GemmFor<T>>(p, grad, x, epilogue);
}

}  // namespace morphmlp::cuda
