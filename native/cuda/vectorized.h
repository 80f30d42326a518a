// Launches of memory-bound kernels: a thread reads and writes 16 bytes of each tensor at once, so that 32 KB are in
// flight on an SM at full occupancy, as many as saturate memory (4.8 TB/s for 0.7 us are 25 KB for each of 132 SMs; two
// bytes a thread would be 4 KB). `Body` has run<N>(...) for N adjacent values from a multiple of N on: a vector of its
// type, or one by one where tensors are not aligned or end within a vector.
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

// Calls body.run<N>(i) for all n values; N is 1 unless `runs`.
template <int N, class Body>
void launch_vectorized(int64_t n, bool runs, const Body& body) {
  launch({blocks_of(n, Unshared::kThreads * N)}, VectorizedEach<N, Body>{{}, n, runs, body});
}

// A thread keeps its columns for kDeep rows and reads per-column values once.
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

// Calls body.run<N>(clip, begin, end, c) for columns c .. c + N - 1 of rows begin .. end - 1 of each clip, over
// matrices [clips, rows, columns].
template <int N, class Body>
void launch_vectorized_columns(int64_t clips, int64_t rows, int64_t columns, bool runs, const Body& body) {
  if (columns == 0) return;
  const int step = runs && columns % N == 0 ? N : 1;
  const int64_t across = columns / step, threads = blocks_of(rows, VectorizedColumns<N, Body>::kDeep) * across;
  launch({blocks_of(as_int(threads), Unshared::kThreads), 1, clips},
         VectorizedColumns<N, Body>{{}, rows, step, Divisor(across), body});
}

}  // namespace morphmlp::cuda
