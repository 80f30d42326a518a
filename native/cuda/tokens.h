// What a product reads and writes, element by element: functors over (token, channel) of tensors [tokens, C]. Norms,
// scales and activations are applied as elements are loaded and stored, so no tensor exists for them. Where octets()
// says that it may, octet(token, c) reads eight channels from a multiple of eight on by 16 bytes at once, as bf16.
#pragma once
#include "cuda/numbers.h"

namespace morphmlp::cuda {

// -- loads: value(token, channel) --

template <class T>
struct Dense {
  const T* x;
  int channels;

  __device__ float operator()(int64_t token, int c) const { return load(x + token * channels + c); }
  bool octets() const { return octets_in(x, channels); }
  __device__ uint4 octet(int64_t token, int c) const { return packed_octet(x + token * channels + c); }
  static constexpr bool kCopied = std::is_same_v<T, Bf16>;
  __device__ const T* octet_at(int64_t token, int c) const { return x + token * channels + c; }
};

// LayerNorm of x.
template <class T>
struct Normed {
  const T* x;
  int channels;
  const float *mean, *rstd, *gamma, *beta;

  __device__ float operator()(int64_t token, int c) const {
    return fmaf((load(x + token * channels + c) - mean[token]) * rstd[token], gamma[c], beta[c]);
  }
  bool octets() const { return octets_in(x, channels) && octets_in(gamma, 8) && octets_in(beta, 8); }
  __device__ uint4 octet(int64_t token, int c) const {
    Octet value = load_octet(x + token * channels + c);
    const Octet scale = load_octet(gamma + c), shift = load_octet(beta + c);
    for (int i = 0; i < 8; ++i) value.at[i] = fmaf((value.at[i] - mean[token]) * rstd[token], scale.at[i], shift.at[i]);
    return packed(value);
  }
};

// x times its clip's scale (drop path), or x itself where `scale` is null.
template <class T>
struct Scaled {
  const T* x;
  int channels;
  const float* scale;
  Divisor clip_tokens;

  __device__ float operator()(int64_t token, int c) const {
    const float value = load(x + token * channels + c);
    return scale ? value * scale[clip_tokens.quotient(static_cast<int>(token))] : value;
  }
  bool octets() const { return octets_in(x, channels); }
  __device__ uint4 octet(int64_t token, int c) const {
    if (!scale) return packed_octet(x + token * channels + c);
    Octet value = load_octet(x + token * channels + c);
    const float factor = scale[clip_tokens.quotient(static_cast<int>(token))];
    for (float& v : value.at) v *= factor;
    return packed(value);
  }
};

// The GELU of z.
template <class T>
struct Activated {
  const T* z;
  int channels;

  __device__ float operator()(int64_t token, int c) const { return gelu_of<T>(load(z + token * channels + c)); }
  bool octets() const { return octets_in(z, channels); }
  __device__ uint4 octet(int64_t token, int c) const {
    Octet value = load_octet(z + token * channels + c);
    for (float& v : value.at) v = gelu_of<T>(v);
    return packed(value);
  }
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
