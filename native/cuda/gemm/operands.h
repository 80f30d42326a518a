// Operands of a product: a matrix with row(r) and at(row, c), read by rows or by columns. A matrix may also have
// read<N>(row, c), which reads N values at once from a multiple of N on, where can_vectorize(N) holds.
#pragma once
#include <type_traits>

#include "cuda/numbers.h"

namespace morphmlp::cuda {

// Element (i, k) is matrix(i, k). vec_size: number of values of a row that may be read at once, 8, 4 or 1.
template <class Matrix>
struct ByRow {
  Matrix matrix;
  int size;
  int run;
};

// Element (i, k) is matrix(k, i).
template <class Matrix>
struct ByColumn {
  Matrix matrix;
  int size;
  int run;
};

template <class Operand>
constexpr bool kIsByColumn = false;
template <class Matrix>
constexpr bool kIsByColumn<ByColumn<Matrix>> = true;

template <class Matrix, class = void>
constexpr bool kHasVectorizedRead = false;
template <class Matrix>
constexpr bool kHasVectorizedRead<Matrix, std::void_t<decltype(&Matrix::can_vectorize)>> = true;

// Element type in memory of a matrix, or of its tokens, at address(row, c); void where values are computed on load.
template <class Source, class = void>
struct StoredAs {
  using type = void;
};
template <class Source>
struct StoredAs<Source, std::void_t<typename Source::Stored>> {
  using type = typename Source::Stored;
};

template <class Matrix>
int vec_size_of(const Matrix& matrix) {
  if constexpr (kHasVectorizedRead<Matrix>) return matrix.can_vectorize(8) ? 8 : matrix.can_vectorize(4) ? 4 : 1;
  return 1;
}

// Values c .. c + N - 1 of a row; zeros from `end` on.
template <int N, class Operand, class Row>
__device__ Vec<N> read_vec(const Operand& a, const Row& row, int c, int end) {
  if constexpr (kHasVectorizedRead<decltype(a.matrix)>)
    if (a.run >= N && c + N <= end) return a.matrix.template read<N>(row, c);
  Vec<N> value;
#pragma unroll
  for (int i = 0; i < N; ++i) value.at[i] = c + i < end ? a.matrix.at(row, c + i) : 0.0f;
  return value;
}

template <class Matrix>
ByRow<Matrix> by_row(const Matrix& matrix, int64_t size) {
  return {matrix, as_int(size), vec_size_of(matrix)};
}

template <class Matrix>
ByColumn<Matrix> by_column(const Matrix& matrix, int64_t size) {
  return {matrix, as_int(size), vec_size_of(matrix)};
}

// Range of k.
struct KRange {
  int begin, end;
};

// Range of block z of a split-k sum over k values, `part` each.
__device__ inline KRange k_range_of_block(int k, int part) {
  const int begin = static_cast<int>(blockIdx.z) * part;
  return {begin, k < begin + part ? k : begin + part};
}

// Tile observer that does nothing.
struct NoTileObserver {
  template <class Tile>
  __device__ void operator()(const Tile&) {}
};

// Results n and n + 1 of a row of `size`, an even n; both at once where `out` takes pairs. out.apply(row, n, values)
// reads what results depend on and transforms them in place, out.write(row, n, values) stores them. All results of a
// thread are transformed before the first is stored: the compiler must assume that stores change what is still to be
// read, and each read behind one would wait for memory.
template <class Out>
__device__ void apply_pair(const Out& out, const typename Out::Row& row, int n, int size, float (&pair)[2]) {
  if (out.pairs && n + 1 < size) return out.apply(row, n, pair);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float one[] = {pair[i]};
    if (n + i < size) out.apply(row, n + i, one);
    pair[i] = one[0];
  }
}
template <class Out>
__device__ void store_pair(const Out& out, const typename Out::Row& row, int n, int size, const float (&pair)[2]) {
  if (out.pairs && n + 1 < size) return out.write(row, n, pair);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float one[] = {pair[i]};
    if (n + i < size) out.write(row, n + i, one);
  }
}

}  // namespace morphmlp::cuda
