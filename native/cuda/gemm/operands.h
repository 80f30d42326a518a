// What a product multiplies: any matrix with row(r) and at(row, c), by its rows or its columns. Some kinds also have
// read<N>(row, c), N numbers at once from a multiple of N on, where can_vectorize(N) says that it may be.
#pragma once
#include <type_traits>

#include "cuda/numbers.h"

namespace morphmlp::cuda {

// Element (i, k) = matrix(i, k). `run` is how many numbers of a row may be read at once: 8, 4 or 1.
template <class Matrix>
struct ByRow {
  Matrix matrix;
  int size;
  int run;
};

// Element (i, k) = matrix(k, i).
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

// The type as which a matrix's numbers, or the tokens of one, lie in memory, at address(row, c); void where they are
// computed from what lies there.
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

// Vec c .. c + N - 1 of a row, those from `end` on as zeros.
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

// Vec begin .. end - 1 of k.
struct KRange {
  int begin, end;
};

// Part number blockIdx.z of k numbers, which has `part` of them.
__device__ inline KRange k_range_of_block(int k, int part) {
  const int begin = static_cast<int>(blockIdx.z) * part;
  return {begin, k < begin + part ? k : begin + part};
}

// Sees the tiles of a product's first operand go by, and does nothing with them.
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
