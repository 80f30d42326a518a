// Matrix product out[m, n] = sum over k of a[m, k] b[n, k], summed in f32: f32 tensors on the FFMA units, bf16 tensors
// on the tensor cores by mma.sync or wgmma. Operands are those of operands.h. `out` has row(m), apply(row, n, values),
// write(row, n, values) and `pairs`, whether two values may be passed at once.
#pragma once
#include <algorithm>

#include "cuda/epilogue/column_sums.h"
#include "cuda/epilogue/epilogue.h"
#include "cuda/epilogue/loads.h"
#include "cuda/gemm/ffma_gemm.h"
#include "cuda/gemm/hopper_launch.h"
#include "cuda/gemm/layouts.h"
#include "cuda/gemm/mma_gemm.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

// Kernel and tile for activations of type T.
template <class T>
struct GemmFor {
  using Tile = FfmaTile;
  template <class A, class B, class Out>
  using Kernel = FfmaGemm<A, B, Out>;
};

template <>
struct GemmFor<Bf16> {
  using Tile = MmaBf16;
  template <class A, class B, class Out>
  using Kernel = MmaGemm<MmaBf16, A, B, Out>;
};

template <class P, class A, class B, class Out>
void launch_gemm(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  using Tile = typename P::Tile;
  const int64_t tiles_n = blocks_of(b.size, Tile::kN);
  const int64_t part = blocks_of(blocks_of(k, parts), Tile::kK) * Tile::kK;
  launch({blocks_of(a.size, Tile::kM) * tiles_n, 1, parts},
         typename P::template Kernel<A, B, Out>{a, b, out, as_int(k), as_int(part), Divisor(tiles_n)});
}

// out = a b. With `parts` > 1, block z of the grid computes the product over split z of k.
template <class T, class A, class B, class Out>
void multiply(const A& a, const B& b, int64_t k, const Out& out, int64_t parts = 1) {
  if (a.size == 0 || b.size == 0) return;
  if constexpr (std::is_same_v<T, Bf16> && kIsDense<A> && kIsDense<B>)
    if (hopper_takes(a, b, k)) return multiply_on_hopper(a, b, k, out, parts);
  launch_gemm<GemmFor<T>>(a, b, k, out, parts);
}

// -- weight gradients: split-k sums over all rows --

// Stores split z into [parts, m, n].
struct StorePartial {
  float* to;
  int n;
  int64_t size;

  static constexpr bool pairs = true;
  using Row = float*;
  __device__ Row row(int m) const { return to + blockIdx.z * size + static_cast<int64_t>(m) * n; }
  template <int N>
  __device__ void apply(Row, int, float (&)[N]) const {}
  template <int N>
  __device__ void write(Row row, int column, const float (&value)[N]) const {
    store(row + column, value);
  }
};

struct StoreGradient {
  float* to;
  __device__ void operator()(int64_t i, float value) const { to[i] = value; }
};

// Number of splits of a sum over `rows`: enough to fill a large GPU, each of at least 256 rows, all of at most 64 MB.
// The shape alone decides, so that every GPU computes the same bits.
template <class Tile>
int64_t parts_for(int64_t m, int64_t n, int64_t rows) {
  const int64_t tiles = blocks_of(m, Tile::kM) * blocks_of(n, Tile::kN);
  const int64_t most = std::min(blocks_of(rows, 256), (int64_t{16} << 20) / std::max<int64_t>(1, m * n));
  return std::clamp<int64_t>(blocks_of(512, std::max<int64_t>(1, tiles)), 1, std::max<int64_t>(1, most));
}

// Calls to(n' k + k', sum over the rows of grad[row, n'] x[row, k']).
template <class T, class Grad, class X, class To>
void weight_gradient_to(const Grad& grad, const X& x, int64_t rows, int64_t n, int64_t k, const To& to) {
  const auto left = by_column(grad, n);
  const auto right = by_column(x, k);
  const int64_t parts = parts_for<typename GemmFor<T>::Tile>(n, k, rows);
  const Workspace<float> sums(parts * n * k);
  multiply<T>(left, right, rows, StorePartial{sums.data(), as_int(k), n * k}, parts);
  reduce_partials(sums.data(), parts, n * k, to);
}

template <class T, class Grad, class X>
void weight_gradient(const Grad& grad, const X& x, int64_t rows, int64_t n, int64_t k, float* dweight) {
  weight_gradient_to<T>(grad, x, rows, n, k, StoreGradient{dweight});
}

// A weight [n, k] in f32.
using WeightMatrix = Gather<PlainLayout, Dense<float>>;
inline WeightMatrix weight_of(const Buffer* weight, int64_t k) {
  return {{}, {static_cast<const float*>(weight->data), as_int(k)}};
}

}  // namespace morphmlp::cuda
