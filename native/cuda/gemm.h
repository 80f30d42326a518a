// The one matrix product, out[m, n] = sum over k of a[m, k] b[n, k], in fp32 on the FFMA units. A block makes a tile of
// 128 x 64, a thread 8 x 4 of it in registers; both operands go through shared memory in two buffers, 16 numbers of k
// at a time: while one is multiplied, the next is on its way. What is multiplied is any matrix with row(r) and at(row,
// c), by its rows or its columns; where results go is any with row(m) and put(row, n, value).
#pragma once
#include <algorithm>

#include "cuda/layouts.h"
#include "cuda/tokens.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

struct GemmTile {
  static constexpr int kM = 128, kN = 64, kK = 16, kThreads = 256;
  static constexpr int kPad = 4;  // of a row in shared memory: keeps 16 bytes aligned and halves bank conflicts
};

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

// A thread's share of a tile of kWidth x kK numbers, in quads: through registers into shared memory [k][kWidth].
template <class Operand, int kWidth>
class Loader;

// Quads run along k; the rows stay the same for the whole product.
template <class Matrix, int kWidth>
class Loader<ByRow<Matrix>, kWidth> {
 public:
  __device__ void start(const ByRow<Matrix>& a, int first) {
    for (int q = 0; q < kQuads; ++q) {
      const int i = first + index(q);
      inside_[q] = i < a.size;
      row_[q] = a.matrix.row(inside_[q] ? i : 0);
    }
  }

  __device__ void fetch(const ByRow<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = k + offset() + j;
        value_[q][j] = inside_[q] && at < end ? a.matrix.at(row_[q], at) : 0.0f;
      }
  }

  __device__ void put(float (*tile)[kWidth + GemmTile::kPad]) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q)
#pragma unroll
      for (int j = 0; j < 4; ++j) tile[offset() + j][index(q)] = value_[q][j];
  }

 private:
  static constexpr int kAcross = GemmTile::kK / 4;
  static constexpr int kQuads = kWidth * kAcross / GemmTile::kThreads;
  __device__ static int index(int q) { return (static_cast<int>(threadIdx.x) + q * GemmTile::kThreads) / kAcross; }
  __device__ static int offset() { return static_cast<int>(threadIdx.x) % kAcross * 4; }

  typename Matrix::Row row_[kQuads];
  bool inside_[kQuads];
  float value_[kQuads][4];
};

// Quads run along the columns; each k is a row of its own.
template <class Matrix, int kWidth>
class Loader<ByColumn<Matrix>, kWidth> {
 public:
  __device__ void start(const ByColumn<Matrix>&, int first) { first_ = first; }

  __device__ void fetch(const ByColumn<Matrix>& a, int k, int end) {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      const bool inside = k + depth(q) < end;
      const typename Matrix::Row row = a.matrix.row(inside ? k + depth(q) : 0);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int i = first_ + offset() + j;
        value_[q][j] = inside && i < a.size ? a.matrix.at(row, i) : 0.0f;
      }
    }
  }

  __device__ void put(float (*tile)[kWidth + GemmTile::kPad]) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q)
      *reinterpret_cast<float4*>(&tile[depth(q)][offset()]) =
          make_float4(value_[q][0], value_[q][1], value_[q][2], value_[q][3]);
  }

 private:
  static constexpr int kAcross = kWidth / 4;
  static constexpr int kQuads = kAcross * GemmTile::kK / GemmTile::kThreads;
  __device__ static int depth(int q) { return (static_cast<int>(threadIdx.x) + q * GemmTile::kThreads) / kAcross; }
  __device__ static int offset() { return static_cast<int>(threadIdx.x) % kAcross * 4; }

  int first_;
  float value_[kQuads][4];
};

template <class A, class B, class Out>
struct Gemm {
  static constexpr int kThreads = GemmTile::kThreads;
  struct alignas(16) Shared {
    float a[2][GemmTile::kK][GemmTile::kM + GemmTile::kPad];
    float b[2][GemmTile::kK][GemmTile::kN + GemmTile::kPad];
  };

  A a;
  B b;
  Out out;
  int k, part;  // block z sums k in [z part, (z + 1) part)
  Divisor tiles_n;

  __device__ void operator()(Shared& s) const {
    const int tile = static_cast<int>(blockIdx.x), tile_m = tiles_n.quotient(tile);
    const int first_m = tile_m * GemmTile::kM, first_n = tiles_n.remainder(tile, tile_m) * GemmTile::kN;
    float sum[8][4] = {};
    accumulate(s, first_m, first_n, sum);
    finish(first_m, first_n, sum);
  }

 private:
  __device__ void accumulate(Shared& s, int first_m, int first_n, float (&sum)[8][4]) const {
    const int begin = static_cast<int>(blockIdx.z) * part, end = min_of(k, begin + part);
    Loader<A, GemmTile::kM> load_a;
    Loader<B, GemmTile::kN> load_b;
    load_a.start(a, first_m);
    load_b.start(b, first_n);
    int buffer = 0;
    for (int at = begin; at < end; at += GemmTile::kK, buffer ^= 1) {
      if (at == begin) load(load_a, load_b, at, end);
      load_a.put(s.a[buffer]);
      load_b.put(s.b[buffer]);
      __syncthreads();  // one a step is enough: who writes this buffer again has passed the next one
      if (at + GemmTile::kK < end) load(load_a, load_b, at + GemmTile::kK, end);
      multiply(s.a[buffer], s.b[buffer], sum);
    }
  }

  __device__ void load(Loader<A, GemmTile::kM>& load_a, Loader<B, GemmTile::kN>& load_b, int at, int end) const {
    load_a.fetch(a, at, end);
    load_b.fetch(b, at, end);
  }

  // A thread's rows are 4 y + (0 .. 3) and 64 more, its columns 4 x + (0 .. 3).
  __device__ static int thread_x() { return static_cast<int>(threadIdx.x) % 16; }
  __device__ static int thread_y() { return static_cast<int>(threadIdx.x) / 16; }
  __device__ static int row_of(int i) { return thread_y() * 4 + i % 4 + i / 4 * 64; }
  __device__ static int min_of(int x, int y) { return x < y ? x : y; }

  __device__ static void multiply(const float (*tile_a)[GemmTile::kM + GemmTile::kPad],
                                  const float (*tile_b)[GemmTile::kN + GemmTile::kPad], float (&sum)[8][4]) {
#pragma unroll
    for (int step = 0; step < GemmTile::kK; ++step) {
      const float4 low = *reinterpret_cast<const float4*>(&tile_a[step][thread_y() * 4]);
      const float4 high = *reinterpret_cast<const float4*>(&tile_a[step][thread_y() * 4 + 64]);
      const float4 right = *reinterpret_cast<const float4*>(&tile_b[step][thread_x() * 4]);
      const float x[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
      const float y[4] = {right.x, right.y, right.z, right.w};
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
    }
  }

  __device__ void finish(int first_m, int first_n, const float (&sum)[8][4]) const {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int m = first_m + row_of(i);
      if (m >= a.size) continue;
      const typename Out::Row row = out.row(m);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int n = first_n + thread_x() * 4 + j;
        if (n < b.size) out.put(row, n, sum[i][j]);
      }
    }
  }
};

// out = a b over the whole of k, or, where `parts` are more than one, part z of it in block z of the grid.
template <class A, class B, class Out>
void multiply(const A& a, const B& b, int64_t k, const Out& out, int64_t parts = 1) {
  const int64_t tiles_n = blocks_of(b.size, GemmTile::kN);
  if (a.size == 0 || b.size == 0) return;
  const int64_t part = blocks_of(blocks_of(k, parts), GemmTile::kK) * GemmTile::kK;
  launch({blocks_of(a.size, GemmTile::kM) * tiles_n, 1, parts},
         Gemm<A, B, Out>{a, b, out, as_int(k), as_int(part), Divisor(tiles_n)});
}

// -- weight gradients: sums over all rows --

// Where part z of a sum goes: [parts, m, n].
struct PutPart {
  float* to;
  int n;
  int64_t size;

  using Row = float*;
  __device__ Row row(int m) const { return to + blockIdx.z * size + static_cast<int64_t>(m) * n; }
  __device__ void put(Row row, int column, float value) const { row[column] = value; }
};

struct InPlace {
  float* to;
  __device__ void operator()(int64_t i, float value) const { to[i] = value; }
};

// The parts of each sum, in order.
template <class To>
struct SumParts {
  const float* parts;
  int64_t count, size;
  To to;

  __device__ void operator()(int64_t i) const {
    double sum = 0;
    for (int64_t p = 0; p < count; ++p) sum += parts[p * size + i];
    to(i, static_cast<float>(sum));
  }
};

// How many parts a sum of `rows` is cut into: enough to fill a large GPU, each of at least 256 rows, all parts together
// at most 64 MB. By the shape alone, so that every GPU gives the same bits.
inline int64_t parts_for(int64_t m, int64_t n, int64_t rows) {
  const int64_t tiles = blocks_of(m, GemmTile::kM) * blocks_of(n, GemmTile::kN);
  const int64_t most = std::min(blocks_of(rows, 256), (int64_t{16} << 20) / std::max<int64_t>(1, m * n));
  return std::clamp<int64_t>(blocks_of(512, std::max<int64_t>(1, tiles)), 1, std::max<int64_t>(1, most));
}

// to(n' k + k', sum over the rows of grad[row, n'] x[row, k']).
template <class Grad, class X, class To>
void weight_gradient_to(const Grad& grad, const X& x, int64_t rows, int64_t n, int64_t k, const To& to) {
  const int64_t parts = parts_for(n, k, rows);
  const Workspace<float> sums(parts * n * k);
  multiply(by_column(grad, n), by_column(x, k), rows, PutPart{sums.data(), as_int(k), n * k}, parts);
  launch_each(n * k, SumParts<To>{sums.data(), parts, n * k, to});
}

template <class Grad, class X>
void weight_gradient(const Grad& grad, const X& x, int64_t rows, int64_t n, int64_t k, float* dweight) {
  weight_gradient_to(grad, x, rows, n, k, InPlace{dweight});
}

// A weight [n, k] as the kernels hold it.
inline Gather<PlainLayout, Dense<float>> weight_of(const Buffer* weight, int64_t k) {
  return {{}, {static_cast<const float*>(weight->data), as_int(k)}};
}

}  // namespace morphmlp::cuda
