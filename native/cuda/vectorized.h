// Launches of what memory limits: a thread reads and writes 16 bytes of each tensor at once, so that what is on its way
// to an SM at any time, 32 KB at full occupancy, is as much as memory needs to be busy (4.8 TB/s for 0.7 us are 25 KB
// for each of 132 SMs; two bytes a thread would be 4 KB). `Body` has run<N>(...) for N numbers that lie next to each
// other, from a multiple of N on, as load<N> and store take them: kVecSize of its type, or one by one where tensors do
// not lie or end so.
#pragma once
#include "cuda/numbers.h"

namespace morphmlp::cuda {

template <class T>
constexpr int kVecSize = 16 / sizeof(T);

template <class... T>
bool aligned(const T*... tensors) {
  return (can_vectorize_rows(tensors, 1, 1) && ...);
}

template <int N, class Body>
struct VectorizedEach : Unshared {
  int64_t n;
  bool runs;
  Body body;

  __device__ void operator()(None&) const {
    const int64_t i = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
    if (runs && i + N <= n) return body.template run<N>(i);
    for (int64_t j = i; j < i + N && j < n; ++j) body.template run<1>(j);
  }
};

// Body::run<N>(i) for all of n numbers; `runs` says whether N may be more than one.
template <int N, class Body>
void launch_vectorized(int64_t n, bool runs, const Body& body) {
  launch({blocks_of(n, Unshared::kThreads * N)}, VectorizedEach<N, Body>{{}, n, runs, body});
}

// Threads keep their columns for kDeep rows, which read what belongs to a column once for all.
template <int N, class Body>
struct VectorizedColumns : Unshared {
  static constexpr int kDeep = 8;
  int64_t rows;
  int step;  // N or 1
  Divisor across;
  Body body;

  __device__ void operator()(None&) const {
    const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
    const int deep = across.quotient(i), column = across.remainder(i, deep) * step;
    const int64_t begin = static_cast<int64_t>(deep) * kDeep, end = begin + kDeep < rows ? begin + kDeep : rows;
    if (begin >= rows) return;
    if (step == N) return body.template run<N>(static_cast<int>(blockIdx.z), begin, end, column);
    body.template run<1>(static_cast<int>(blockIdx.z), begin, end, column);
  }
};

// Body::run<N>(clip, begin, end, c): columns c .. c + N - 1 of rows begin .. end - 1 of a clip, for all of matrices
// [clips, rows, columns].
template <int N, class Body>
void launch_vectorized_columns(int64_t clips, int64_t rows, int64_t columns, bool runs, const Body& body) {
  if (columns == 0) return;
  const int step = runs && columns % N == 0 ? N : 1;
  const int64_t across = columns / step, threads = blocks_of(rows, VectorizedColumns<N, Body>::kDeep) * across;
  launch({blocks_of(as_int(threads), Unshared::kThreads), 1, clips},
         VectorizedColumns<N, Body>{{}, rows, step, Divisor(across), body});
}

}  // namespace morphmlp::cuda
