#include "kernels/reweight.h"

#include "cuda/column_sums.h"

namespace morphmlp::cuda {
namespace {

// The weights of a channel of the clip that element i of a branch belongs to.
template <class P>
__device__ const float* weights_at(const P& p, int64_t i) {
  const int64_t clip = i / (p.tokens * p.channels);
  return p.weights + (clip * p.channels + i % p.channels) * p.branches;
}

template <class T>
struct Forward {
  ReweightForwardOf<T> p;
  __device__ void operator()(int64_t i) const {
    const float* w = weights_at(p, i);
    float sum = load(p.branch[0] + i) * w[0];
    for (int64_t b = 1; b < p.branches; ++b) sum = fmaf(load(p.branch[b] + i), w[b], sum);
    store(p.y + i, sum);
  }
};

template <class T>
struct Branches {
  ReweightBackwardOf<T> p;
  __device__ void operator()(int64_t i) const {
    const float* w = weights_at(p, i);
    for (int64_t b = 0; b < p.branches; ++b)
      if (p.dbranch[b]) store(p.dbranch[b] + i, load(p.dy + i) * w[b]);
  }
};

template <class T>
struct Weights {
  static constexpr int kSums = kMaxBranches;
  ReweightBackwardOf<T> p;

  __device__ void add(int clip, int64_t token, int c, float (&sum)[kSums]) const {
    const int64_t at = (clip * p.tokens + token) * p.channels + c;
#pragma unroll
    for (int b = 0; b < kMaxBranches; ++b)
      if (b < p.branches) sum[b] = fmaf(load(p.dy + at), load(p.branch[b] + at), sum[b]);
  }
  __device__ void finish(int clip, int c, const double (&sum)[kSums]) const {
#pragma unroll
    for (int b = 0; b < kMaxBranches; ++b)
      if (b < p.branches) p.dweights[(clip * p.channels + c) * p.branches + b] = static_cast<float>(sum[b]);
  }
};

}  // namespace

template <class T>
void reweight_forward(const ReweightForwardOf<T>& p) {
  launch_each(p.clips * p.tokens * p.channels, Forward<T>{p});
}
FOR_FLOATS(reweight_forward, ReweightForward)

template <class T>
void reweight_backward(const ReweightBackwardOf<T>& p) {
  launch_each(p.clips * p.tokens * p.channels, Branches<T>{p});
  column_sums(p.clips, p.tokens, p.channels, Weights<T>{p});
}
FOR_FLOATS(reweight_backward, ReweightBackward)

}  // namespace morphmlp::cuda
