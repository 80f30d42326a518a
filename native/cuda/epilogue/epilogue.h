// Epilogues of a product, by token and channel of a tensor [tokens, C]: apply(token, channel, n, values) transforms the
// N adjacent results from column n of the product on in place, write(token, channel, values) stores them. N is 1 or,
// where pairs() holds, 2. Only `apply` reads memory (apply_pair of operands.h says why).
#pragma once
#include "cuda/gemm/operands.h"

namespace morphmlp::cuda {

// y (or, with `add`, y +=) value + bias[n]
template <class T>
struct BiasEpilogue {
  T* y;
  int channels;
  const float* bias;  // or null
  bool add;

  bool pairs() const { return can_pair_rows(y, channels); }
  template <int N>
  __device__ void apply(int64_t token, int c, int n, float (&value)[N]) const {
    for (int i = 0; i < N; ++i) {
      if (bias) value[i] += bias[n + i];
      if (add) value[i] = load(y + token * channels + c + i) + value[i];
    }
  }
  template <int N>
  __device__ void write(int64_t token, int c, const float (&value)[N]) const {
    store(y + token * channels + c, value);
  }
};

// z = value + bias[n], y = gelu(z) or z itself
template <class T>
struct ActivationEpilogue {
  T *y, *z;  // z or null
  int channels;
  const float* bias;  // or null
  bool activate;

  bool pairs() const { return can_pair_rows(y, channels) && can_pair_rows(z, channels); }
  template <int N>
  __device__ void apply(int64_t, int, int n, float (&value)[N]) const {
    for (int i = 0; i < N; ++i)
      if (bias) value[i] += bias[n + i];
  }
  template <int N>
  __device__ void write(int64_t token, int c, const float (&value)[N]) const {
    const int64_t at = token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) result[i] = activate ? gelu_of<T>(value[i]) : value[i];
    if (z) store(z + at, value);
    store(y + at, result);
  }
};

// y = x + scale * (value + bias[n])
template <class T>
struct ResidualEpilogue {
  const T* x;
  T* y;
  int channels;
  const float *bias, *scale;  // scale or null
  Divisor clip_tokens;

  bool pairs() const { return can_pair_rows(y, channels); }
  template <int N>
  __device__ void apply(int64_t token, int c, int n, float (&value)[N]) const {
    const float s = scale ? scale[clip_tokens.quotient(static_cast<int>(token))] : 1.0f;
    const T* from = x + token * channels + c;
    for (int i = 0; i < N; ++i) value[i] = fmaf(s, value[i] + bias[n + i], load(from + i));
  }
  template <int N>
  __device__ void write(int64_t token, int c, const float (&value)[N]) const {
    store(y + token * channels + c, value);
  }
};

// dz = value * gelu'(z)
template <class T>
struct GeluGradEpilogue {
  const T* z;
  T* dz;
  int channels;

  bool pairs() const { return can_pair_rows(dz, channels); }
  template <int N>
  __device__ void apply(int64_t token, int c, int, float (&value)[N]) const {
    const T* from = z + token * channels + c;
    for (int i = 0; i < N; ++i) value[i] *= gelu_slope_of<T>(load(from + i));
  }
  template <int N>
  __device__ void write(int64_t token, int c, const float (&value)[N]) const {
    store(dz + token * channels + c, value);
  }
};

}  // namespace morphmlp::cuda
