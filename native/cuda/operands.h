// What a product multiplies: any matrix with row(r) and at(row, c), by its rows or its columns. `octets` says whether
// eight numbers of a row may be read at once, by octet(row, c): only some kinds of matrices have that.
#pragma once
#include <type_traits>

#include "cuda/numbers.h"

namespace morphmlp::cuda {

// Element (i, k) = matrix(i, k).
template <class Matrix>
struct ByRow {
  Matrix matrix;
  int size;
  bool octets;
};

// Element (i, k) = matrix(k, i).
template <class Matrix>
struct ByColumn {
  Matrix matrix;
  int size;
  bool octets;
};

template <class Matrix, class = void>
constexpr bool kHasOctets = false;
template <class Matrix>
constexpr bool kHasOctets<Matrix, std::void_t<decltype(&Matrix::octet)>> = true;

// Whether eight numbers lie in memory as products take them, at octet_at(row, c): what kCopied says of a matrix, and of
// the tokens of one.
template <class Matrix, class = void>
constexpr bool kIsCopied = false;
template <class Matrix>
constexpr bool kIsCopied<Matrix, std::enable_if_t<Matrix::kCopied>> = true;

template <class Matrix>
bool octets_of(const Matrix& matrix) {
  if constexpr (kHasOctets<Matrix>) return matrix.octets();
  return false;
}

template <class Matrix>
ByRow<Matrix> by_row(const Matrix& matrix, int64_t size) {
  return {matrix, as_int(size), octets_of(matrix)};
}

template <class Matrix>
ByColumn<Matrix> by_column(const Matrix& matrix, int64_t size) {
  return {matrix, as_int(size), octets_of(matrix)};
}

// Results n and n + 1 of a row of `size`, an even n: at once where `out` takes two.
template <class Out>
__device__ void put_pair(const Out& out, const typename Out::Row& row, int n, int size, const float (&pair)[2]) {
  if (out.pairs && n + 1 < size) return out.put(row, n, pair);
  for (int i = 0; i < 2; ++i) {
    const float one[] = {pair[i]};
    if (n + i < size) out.put(row, n + i, one);
  }
}

}  // namespace morphmlp::cuda
