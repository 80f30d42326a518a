#include "ops/reweight.h"

#include "cuda/epilogue/column_sums.h"
#include "cuda/vectorized.h"

namespace morphmlp::cuda {
namespace {

// The weights of N channels of a clip.
template <int N>
struct ChannelWeights {
  template <class P>
  __device__ ChannelWeights(const P& p, int clip, int c) {
    const float* from = p.weights + (static_cast<int64_t>(clip) * p.channels + c) * p.branches;
#pragma unroll
    for (int b = 0; b < kMaxBranches; ++b)
      for (int j = 0; j < N; ++j) at[b][j] = b < p.branches ? from[j * p.branches + b] : 0.0f;
  }
  float at[kMaxBranches][N];
};

template <class P>
__device__ int64_t element(const P& p, int clip, int64_t token, int c) {
  return (clip * p.tokens + token) * p.channels + c;
}

template <class T>
struct Forward {
  ReweightForwardOf<T> p;

  template <int N>
  __device__ void run(int clip, int64_t begin, int64_t end, int c) const {
    const ChannelWeights<N> weights(p, clip, c);
    for (int64_t token = begin; token < end; ++token) {
      const int64_t i = element(p, clip, token, c);
      Vec<N> sum = load<N>(p.branch[0] + i);
      for (int j = 0; j < N; ++j) sum.at[j] *= weights.at[0][j];
#pragma unroll
      for (int b = 1; b < kMaxBranches; ++b) {
        if (b >= p.branches) continue;
        const Vec<N> value = load<N>(p.branch[b] + i);
        for (int j = 0; j < N; ++j) sum.at[j] = fmaf(value.at[j], weights.at[b][j], sum.at[j]);
      }
      store(p.y + i, sum);
    }
  }
};

template <class T>
struct Branches {
  ReweightBackwardOf<T> p;

  template <int N>
  __device__ void run(int clip, int64_t begin, int64_t end, int c) const {
    const ChannelWeights<N> weights(p, clip, c);
    for (int64_t token = begin; token < end; ++token) {
      const int64_t i = element(p, clip, token, c);
      const Vec<N> grad = load<N>(p.dy + i);
#pragma unroll
      for (int b = 0; b < kMaxBranches; ++b) {
        if (b >= p.branches || !p.dbranch[b]) continue;
        Vec<N> part = grad;
        for (int j = 0; j < N; ++j) part.at[j] *= weights.at[b][j];
        store(p.dbranch[b] + i, part);
      }
    }
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
  const bool runs = aligned(p.branch[0], p.branch[1], p.branch[2], p.y);
  launch_vectorized_columns<kVecSize<T>>(p.clips, p.tokens, p.channels, runs, Forward<T>{p});
}
FOR_FLOATS(reweight_forward, ReweightForward)

template <class T>
void reweight_backward(const ReweightBackwardOf<T>& p) {
  const bool runs = aligned(p.dy, p.dbranch[0], p.dbranch[1], p.dbranch[2]);
  launch_vectorized_columns<kVecSize<T>>(p.clips, p.tokens, p.channels, runs, Branches<T>{p});
  column_sums(p.clips, p.tokens, p.channels, Weights<T>{p});
}
FOR_FLOATS(reweight_backward, ReweightBackward)

}  // namespace morphmlp::cuda
