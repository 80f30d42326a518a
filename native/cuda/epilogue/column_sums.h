// Column sums of a matrix: over all rows, or over the rows of each clip. The number of rows alone decides how they are
// split. A thread sums runs of 32 rows in f32 and the runs in double, which keeps the digits of long sums; splits are
// added in order.
#pragma once
#include "cuda/gemm/layouts.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

struct SumTile {
  static constexpr int kThreads = 256, kColumns = 32, kDeep = kThreads / kColumns, kVecSize = 32;
};

// Adds the sums of the threads of each column, in order; the first row of threads receives the result.
template <int kSums>
struct ColumnShared {
  double sum[SumTile::kDeep][SumTile::kColumns][kSums];

  __device__ void reduce(int deep, int column, double (&mine)[kSums]) {
    for (int s = 0; s < kSums; ++s) sum[deep][column][s] = mine[s];
    __syncthreads();
    if (deep > 0) return;
    for (int s = 0; s < kSums; ++s)
      for (int d = 1; d < SumTile::kDeep; ++d) mine[s] += sum[d][column][s];
  }
};

// Requires of F: kSums; add(clip, row, column, sums), which adds the values of one row.
template <class F>
struct ColumnParts {
  static constexpr int kThreads = SumTile::kThreads;
  using Shared = ColumnShared<F::kSums>;

  F f;
  int64_t rows, part;
  int columns;
  double* to;  // [clip][part][column][sum]

  __device__ void operator()(Shared& shared) const {
    const int x = static_cast<int>(threadIdx.x) % SumTile::kColumns,
              deep = static_cast<int>(threadIdx.x) / SumTile::kColumns;
    const int column = static_cast<int>(blockIdx.x) * SumTile::kColumns + x;
    const int64_t begin = blockIdx.y * part, end = begin + part < rows ? begin + part : rows;
    double sum[F::kSums] = {};
    if (column < columns) add(column, begin + deep, end, sum);
    shared.reduce(deep, x, sum);
    if (deep > 0 || column >= columns) return;
    for (int s = 0; s < F::kSums; ++s)
      to[((static_cast<int64_t>(blockIdx.z) * gridDim.y + blockIdx.y) * columns + column) * F::kSums + s] = sum[s];
  }

 private:
  __device__ void add(int column, int64_t row, int64_t end, double (&sum)[F::kSums]) const {
    while (row < end) {
      float run[F::kSums] = {};
      for (int i = 0; i < SumTile::kVecSize && row < end; ++i, row += SumTile::kDeep)
        f.add(static_cast<int>(blockIdx.z), row, column, run);
      for (int s = 0; s < F::kSums; ++s) sum[s] += run[s];
    }
  }
};

// Requires of F: finish(clip, column, sums).
template <class F>
struct ColumnFinish {
  static constexpr int kThreads = SumTile::kThreads;
  using Shared = ColumnShared<F::kSums>;

  F f;
  int parts, columns;
  const double* from;

  __device__ void operator()(Shared& shared) const {
    const int x = static_cast<int>(threadIdx.x) % SumTile::kColumns,
              deep = static_cast<int>(threadIdx.x) / SumTile::kColumns;
    const int column = static_cast<int>(blockIdx.x) * SumTile::kColumns + x;
    double sum[F::kSums] = {};
    for (int p = deep; p < parts && column < columns; p += SumTile::kDeep)
      for (int s = 0; s < F::kSums; ++s)
        sum[s] += from[((static_cast<int64_t>(blockIdx.z) * parts + p) * columns + column) * F::kSums + s];
    shared.reduce(deep, x, sum);
    if (deep == 0 && column < columns) f.finish(static_cast<int>(blockIdx.z), column, sum);
  }
};

// Sums the `rows` rows of each of `clips` clips by column and calls f.finish with the sums.
template <class F>
void column_sums(int64_t clips, int64_t rows, int64_t columns, const F& f) {
  const int64_t part = std::max<int64_t>(256, blocks_of(rows, 256)),
                parts = std::max<int64_t>(1, blocks_of(rows, part));
  const int64_t across = blocks_of(columns, SumTile::kColumns);
  const Workspace<double> sums(clips * parts * columns * F::kSums);
  launch({across, parts, clips}, ColumnParts<F>{f, rows, part, as_int(columns), sums.data()});
  launch({across, 1, clips}, ColumnFinish<F>{f, as_int(parts), as_int(columns), sums.data()});
}

// Calls to(i, sum of element i over all splits). Sums are double; a thread adds every kDeep-th split, in order.
template <class To>
struct ReducePartials {
  static constexpr int kThreads = SumTile::kThreads;
  using Shared = ColumnShared<1>;

  const float* from;  // [parts, size]
  int64_t parts, size;
  To to;

  __device__ void operator()(Shared& shared) const {
    const int x = static_cast<int>(threadIdx.x) % SumTile::kColumns,
              deep = static_cast<int>(threadIdx.x) / SumTile::kColumns;
    const int64_t i = static_cast<int64_t>(blockIdx.x) * SumTile::kColumns + x;
    double sum[1] = {};
    for (int64_t p = deep; p < parts && i < size; p += SumTile::kDeep) sum[0] += from[p * size + i];
    shared.reduce(deep, x, sum);
    if (deep == 0 && i < size) to(i, static_cast<float>(sum[0]));
  }
};

template <class To>
void reduce_partials(const float* from, int64_t parts, int64_t size, const To& to) {
  launch({blocks_of(size, SumTile::kColumns)}, ReducePartials<To>{from, parts, size, to});
}

// Gradient of a bias: column sums of the gradient.
template <class Matrix>
struct BiasGradient {
  static constexpr int kSums = 1;
  Matrix grad;
  float* dbias;

  __device__ void add(int, int64_t row, int column, float (&sum)[1]) const {
    sum[0] += grad.at(grad.row(static_cast<int>(row)), column);
  }
  __device__ void finish(int, int column, const double (&sum)[1]) const { dbias[column] = static_cast<float>(sum[0]); }
};

template <class Matrix>
void bias_gradient(const Matrix& grad, int64_t rows, int64_t columns, float* dbias) {
  if (dbias) column_sums(1, rows, columns, BiasGradient<Matrix>{grad, dbias});
}

}  // namespace morphmlp::cuda
