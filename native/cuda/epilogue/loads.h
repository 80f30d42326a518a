// Loads of a product's operands: read<N>(token, channel) returns N channels of a tensor [tokens, C], from a multiple of
// N on, where can_vectorize(N) holds. Norms, scales and activations are applied to values as they are loaded, so no
// tensor holds their results.
#pragma once
#include "cuda/gemm/operands.h"

namespace morphmlp::cuda {

template <class T>
struct Dense {
  const T* x;
  int channels;

  template <int N>
  __device__ Vec<N> read(int64_t token, int c) const {
    return load<N>(address(token, c));
  }
  bool can_vectorize(int n) const { return can_vectorize_rows(x, channels, n); }
  using Stored = T;
  __device__ const T* address(int64_t token, int c) const { return x + token * channels + c; }
};

// LayerNorm of x.
template <class T>
struct Normed {
  const T* x;
  int channels;
  const float *mean, *rstd, *gamma, *beta;

  template <int N>
  __device__ Vec<N> read(int64_t token, int c) const {
    Vec<N> value = load<N>(x + token * channels + c);
    const Vec<N> scale = load<N>(gamma + c), shift = load<N>(beta + c);
    for (int i = 0; i < N; ++i) value.at[i] = fmaf((value.at[i] - mean[token]) * rstd[token], scale.at[i], shift.at[i]);
    return value;
  }
  bool can_vectorize(int n) const {
    return can_vectorize_rows(x, channels, n) && can_vectorize_rows(gamma, n, n) && can_vectorize_rows(beta, n, n);
  }
};

// x times the scale of its clip (drop path), or x where `scale` is null.
template <class T>
struct Scaled {
  const T* x;
  int channels;
  const float* scale;
  Divisor clip_tokens;

  template <int N>
  __device__ Vec<N> read(int64_t token, int c) const {
    Vec<N> value = load<N>(x + token * channels + c);
    if (!scale) return value;
    const float factor = scale[clip_tokens.quotient(static_cast<int>(token))];
    for (float& v : value.at) v *= factor;
    return value;
  }
  bool can_vectorize(int n) const { return can_vectorize_rows(x, channels, n); }
};

// GELU of z.
template <class T>
struct Activated {
  const T* z;
  int channels;

  template <int N>
  __device__ Vec<N> read(int64_t token, int c) const {
    Vec<N> value = load<N>(z + token * channels + c);
    for (float& v : value.at) v = gelu_of<T>(v);
    return value;
  }
  bool can_vectorize(int n) const { return can_vectorize_rows(z, channels, n); }
};

}  // namespace morphmlp::cuda
