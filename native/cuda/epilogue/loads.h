// What a product reads and writes: functors over (token, channel) of tensors [tokens, C]. Norms, scales and activations
// are applied as elements are loaded and stored, so no tensor exists for them.
#pragma once
#include "cuda/gemm/operands.h"

namespace morphmlp::cuda {

// -- loads: read<N>(token, channel), N channels from a multiple of N on, where runs_of(N) says that it may be --

template <class T>
struct Dense {
  const T* x;
  int channels;

  template <int N>
  __device__ Numbers<N> read(int64_t token, int c) const {
    return load<N>(address(token, c));
  }
  bool runs_of(int n) const { return runs_in(x, channels, n); }
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
  __device__ Numbers<N> read(int64_t token, int c) const {
    Numbers<N> value = load<N>(x + token * channels + c);
    const Numbers<N> scale = load<N>(gamma + c), shift = load<N>(beta + c);
    for (int i = 0; i < N; ++i) value.at[i] = fmaf((value.at[i] - mean[token]) * rstd[token], scale.at[i], shift.at[i]);
    return value;
  }
  bool runs_of(int n) const { return runs_in(x, channels, n) && runs_in(gamma, n, n) && runs_in(beta, n, n); }
};

// x times its clip's scale (drop path), or x itself where `scale` is null.
template <class T>
struct Scaled {
  const T* x;
  int channels;
  const float* scale;
  Divisor clip_tokens;

  template <int N>
  __device__ Numbers<N> read(int64_t token, int c) const {
    Numbers<N> value = load<N>(x + token * channels + c);
    if (!scale) return value;
    const float factor = scale[clip_tokens.quotient(static_cast<int>(token))];
    for (float& v : value.at) v *= factor;
    return value;
  }
  bool runs_of(int n) const { return runs_in(x, channels, n); }
};

// The GELU of z.
template <class T>
struct Activated {
  const T* z;
  int channels;

  template <int N>
  __device__ Numbers<N> read(int64_t token, int c) const {
    Numbers<N> value = load<N>(z + token * channels + c);
    for (float& v : value.at) v = gelu_of<T>(v);
    return value;
  }
  bool runs_of(int n) const { return runs_in(z, channels, n); }
};

// -- stores: put(token, channel, place in the row of the product, N numbers that lie next to each other): one, or where
// pairs() says that it may be, two --

// y (or, with `add`, y +=) value + bias[place]
template <class T>
struct PutBiased {
  T* y;
  int channels;
  const float* bias;  // or null
  bool add;

  bool pairs() const { return pairs_in(y, channels); }
  template <int N>
  __device__ void operator()(int64_t token, int c, int place, const float (&value)[N]) const {
    T* to = y + token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) {
      result[i] = bias ? value[i] + bias[place + i] : value[i];
      if (add) result[i] = load(to + i) + result[i];
    }
    store(to, result);
  }
};

// z = value + bias, y = gelu(z) or z itself
template <class T>
struct PutActivated {
  T *y, *z;  // z or null
  int channels;
  const float* bias;  // or null
  bool activate;

  bool pairs() const { return pairs_in(y, channels) && pairs_in(z, channels); }
  template <int N>
  __device__ void operator()(int64_t token, int c, int place, const float (&value)[N]) const {
    const int64_t at = token * channels + c;
    float sum[N], result[N];
    for (int i = 0; i < N; ++i) {
      sum[i] = bias ? value[i] + bias[place + i] : value[i];
      result[i] = activate ? gelu_of<T>(sum[i]) : sum[i];
    }
    if (z) store(z + at, sum);
    store(y + at, result);
  }
};

// y = x + scale * (value + bias)
template <class T>
struct PutResidual {
  const T* x;
  T* y;
  int channels;
  const float *bias, *scale;  // scale or null
  Divisor clip_tokens;

  bool pairs() const { return pairs_in(y, channels); }
  template <int N>
  __device__ void operator()(int64_t token, int c, int place, const float (&value)[N]) const {
    const float s = scale ? scale[clip_tokens.quotient(static_cast<int>(token))] : 1.0f;
    const int64_t at = token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) result[i] = fmaf(s, value[i] + bias[place + i], load(x + at + i));
    store(y + at, result);
  }
};

// dz = value * gelu'(z)
template <class T>
struct PutGeluGradient {
  const T* z;
  T* dz;
  int channels;

  bool pairs() const { return pairs_in(dz, channels); }
  template <int N>
  __device__ void operator()(int64_t token, int c, int, const float (&value)[N]) const {
    const int64_t at = token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) result[i] = value[i] * gelu_slope_of<T>(load(z + at + i));
    store(dz + at, result);
  }
};

}  // namespace morphmlp::cuda
