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

}  // namespace morphmlp::cuda
