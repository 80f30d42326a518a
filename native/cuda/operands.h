// What a product multiplies: any matrix with row(r) and at(row, c), by its rows or its columns.
#pragma once
#include "cuda/numbers.h"

namespace morphmlp::cuda {

// Element (i, k) = matrix(i, k).
template <class Matrix>
struct ByRow {
  Matrix matrix;
  int size;
};

// Element (i, k) = matrix(k, i).
template <class Matrix>
struct ByColumn {
  Matrix matrix;
  int size;
};

template <class Matrix>
ByRow<Matrix> by_row(const Matrix& matrix, int64_t size) {
  return {matrix, as_int(size)};
}

template <class Matrix>
ByColumn<Matrix> by_column(const Matrix& matrix, int64_t size) {
  return {matrix, as_int(size)};
}

}  // namespace morphmlp::cuda
