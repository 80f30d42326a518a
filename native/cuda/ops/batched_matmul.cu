#include "ops/batched_matmul.h"

#include "cuda/launch.h"

namespace morphmlp::cuda {
namespace {

constexpr int kTile = 16;

// One block computes a tile of one product; the tiles of a and b pass through shared memory.
struct Tiles {
  static constexpr int kThreads = kTile * kTile;
  struct Shared {
    float a[kTile][kTile + 1], b[kTile][kTile + 1];
  };
  BatchedMatmulForward p;
  int64_t down, across;

  __device__ void operator()(Shared& shared) const {
    const int64_t tile = blockIdx.x % (down * across), at = blockIdx.x / (down * across);
    const int row = static_cast<int>(threadIdx.x) / kTile, column = static_cast<int>(threadIdx.x) % kTile;
    const int64_t i = tile / across * kTile + row, j = tile % across * kTile + column;
    const float *a = p.a + at * p.m * p.k, *b = p.b + at * p.k * p.n;
    float sum = 0;
    for (int64_t first = 0; first < p.k; first += kTile) {
      const int64_t ka = first + column, kb = first + row;
      shared.a[row][column] = i < p.m && ka < p.k ? a[p.transpose_a ? ka * p.m + i : i * p.k + ka] : 0.0f;
      shared.b[row][column] = j < p.n && kb < p.k ? b[p.transpose_b ? j * p.k + kb : kb * p.n + j] : 0.0f;
      __syncthreads();
      float part = 0;
      for (int k = 0; k < kTile; ++k) part = fmaf(shared.a[row][k], shared.b[k][column], part);
      sum += part;
      __syncthreads();
    }
    if (i < p.m && j < p.n) p.y[at * p.m * p.n + i * p.n + j] = sum;
  }
};

}  // namespace

void batched_matmul_forward(const BatchedMatmulForward& p) {
  const int64_t down = blocks_of(p.m, kTile), across = blocks_of(p.n, kTile);
  launch({p.batch * down * across}, Tiles{p, down, across});
}

}  // namespace morphmlp::cuda
