// Loop over k of the f32 product. Two buffers in shared memory: the next tile loads while one is multiplied.
#pragma once
#include "cuda/gemm/operands.h"

namespace morphmlp::cuda {

// Calls multiply(tile of a, tile of b) for each kStep values of k in `over`. `gemm` has the operands, `Shared` two
// buffers of each.
template <class LoadA, class LoadB, int kStep, class FfmaGemm, class Shared, class Multiply>
__device__ void for_each_tile(const FfmaGemm& gemm, Shared& s, int first_m, int first_n, const KRange& over,
                              const Multiply& multiply) {
  LoadA load_a;
  LoadB load_b;
  load_a.start(gemm.a, first_m);
  load_b.start(gemm.b, first_n);
  const auto fetch = [&](int at) {
    load_a.fetch(gemm.a, at, over.end);
    load_b.fetch(gemm.b, at, over.end);
  };
  int buffer = 0;
  fetch(over.begin);
  for (int at = over.begin; at < over.end; at += kStep, buffer ^= 1) {
    load_a.store_shared(s.a[buffer]);
    load_b.store_shared(s.b[buffer]);
    __syncthreads();  // one a step is enough: who writes this buffer again has passed the next one
    if (at + kStep < over.end) fetch(at + kStep);
    multiply(s.a[buffer], s.b[buffer]);
  }
}

}  // namespace morphmlp::cuda
