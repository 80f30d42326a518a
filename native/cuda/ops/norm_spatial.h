// Shared by the steps of norm_spatial: layouts and loads of the branches.
#pragma once
#include "cuda/gemm/gathered_fc.h"
#include "cuda/ops/norm_rows.h"
#include "ops/norm_spatial.h"

namespace morphmlp::cuda {

// Layout of the FC of branch i; a row of the channel branch, the last, is one token.
inline MorphLayout branch_layout(const NormSpatialShape& at, int64_t i) {
  const bool channel = i + 1 == at.branches();
  const bool vertical = !at.strided && i == 0, strided = at.strided && !channel;
  const int64_t chunk = channel ? 1 : at.chunk;  // also the number of groups
  return MorphLayout({at.frames(), at.height, at.width, at.channels, chunk, chunk, vertical, strided});
}

// Branch weights: weights[clip, c, i] at (token, channel), from i = 0 on.
struct BranchWeights {
  const float* weights;
  int channels, branches;
  Divisor clip_tokens;

  BranchWeights(const NormSpatialShape& at, const float* weights)
      : weights(weights),
        channels(as_int(at.channels)),
        branches(static_cast<int>(at.branches())),
        clip_tokens(at.clip_tokens()) {}

  __device__ int clip(int64_t token) const { return clip_tokens.quotient(static_cast<int>(token)); }
  __device__ const float* at(int64_t token, int c) const {
    return weights + (static_cast<int64_t>(clip(token)) * channels + c) * branches;
  }
};

// Weighted sum of the branches [branches, tokens, C].
template <class T>
struct Mixed {
  const T* branch;
  int64_t stride;  // between branches
  BranchWeights by;

  template <int N>
  __device__ Vec<N> read(int64_t token, int c) const {
    const float* w = by.at(token, c);
    const T* from = branch + token * by.channels + c;
    Vec<N> sum = {};
    for (int i = 0; i < by.branches; ++i, ++w, from += stride) {
      const Vec<N> value = load<N>(from);
      for (int j = 0; j < N; ++j) sum.at[j] = fmaf(value.at[j], w[j * by.branches], sum.at[j]);
    }
    return sum;
  }
  bool can_vectorize(int n) const { return can_vectorize_rows(branch, by.channels, n) && stride % n == 0; }
};

// Gradient of a branch: its weight times dmix, plus its share of dpooled.
template <class T>
struct BranchGradient {
  const T* dmix;
  const float* dpooled;
  float share;
  BranchWeights by;
  int branch;

  template <int N>
  __device__ Vec<N> read(int64_t token, int c) const {
    const Vec<N> pooled = load<N>(dpooled + static_cast<int64_t>(by.clip(token)) * by.channels + c);
    const float* w = by.at(token, c) + branch;
    Vec<N> value = load<N>(dmix + token * by.channels + c);
    for (int j = 0; j < N; ++j) value.at[j] = fmaf(w[j * by.branches], value.at[j], share * pooled.at[j]);
    return value;
  }
  bool can_vectorize(int n) const {
    return can_vectorize_rows(dmix, by.channels, n) && can_vectorize_rows(dpooled, by.channels, n);
  }
};

// mix = or += weight * (value + bias[n])
template <class T>
struct WeightedEpilogue {
  T* mix;
  const float* bias;  // or null
  BranchWeights by;
  int branch;  // branch 0 overwrites

  bool pairs() const { return can_pair_rows(mix, by.channels); }
  template <int N>
  __device__ void apply(int64_t token, int c, int n, float (&value)[N]) const {
    const T* from = mix + token * by.channels + c;
    const float* w = by.at(token, c) + branch;
    for (int i = 0; i < N; ++i) {
      value[i] = w[i * by.branches] * (bias ? value[i] + bias[n + i] : value[i]);
      if (branch > 0) value[i] = load(from + i) + value[i];
    }
  }
  template <int N>
  __device__ void write(int64_t token, int c, const float (&value)[N]) const {
    store(mix + token * by.channels + c, value);
  }
};

}  // namespace morphmlp::cuda
