#include "ops/non_finite.h"

#include "cuda/numbers.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPiece = 1 << 14;

struct CountShared {
  int64_t warps[kThreads / kWarpSize];
};

// counts[block] is the number of NaN and infinite values in its chunk.
template <class T>
struct CountPiece {
  static constexpr int kThreads = cuda::kThreads;
  using Shared = CountShared;
  const T* x;
  int64_t n;
  int64_t* counts;

  __device__ void operator()(Shared& shared) const {
    const int64_t begin = blockIdx.x * kPiece, end = begin + kPiece < n ? begin + kPiece : n;
    int64_t bad = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) bad += !(fabsf(load(x + i)) <= 3.4028235e38f);
    bad = block_sum<kThreads>(bad, shared.warps);
    if (threadIdx.x == 0) counts[blockIdx.x] = bad;
  }
};

struct CountAll {
  static constexpr int kThreads = cuda::kThreads;
  using Shared = CountShared;
  const int64_t* counts;
  int64_t pieces;
  float* found;

  __device__ void operator()(Shared& shared) const {
    int64_t bad = 0;
    for (int64_t i = threadIdx.x; i < pieces; i += kThreads) bad += counts[i];
    bad = block_sum<kThreads>(bad, shared.warps);
    if (threadIdx.x == 0) *found = static_cast<float>(bad);
  }
};

}  // namespace

template <class T>
void non_finite_count(const NonFiniteCountOf<T>& p) {
  const int64_t pieces = blocks_of(p.n, kPiece);
  const Workspace<int64_t> counts(pieces);
  launch({pieces}, CountPiece<T>{p.x, p.n, counts.data()});
  launch({1}, CountAll{counts.data(), pieces, p.found});
}
FOR_FLOATS(non_finite_count, NonFiniteCount)

}  // namespace morphmlp::cuda
