// Epilogues of a product: operator()(token, channel, n, values) stores N adjacent results of row `token` and column n
// of the product at `channel` of a tensor [tokens, C]; N is 1 or, where pairs() holds, 2.
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
  __device__ void operator()(int64_t token, int c, int n, const float (&value)[N]) const {
    T* to = y + token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) {
      result[i] = bias ? value[i] + bias[n + i] : value[i];
      if (add) result[i] = load(to + i) + result[i];
    }
    store(to, result);
  }
};

// z = value + bias, y = gelu(z) or z itself
template <class T>
struct ActivationEpilogue {
  T *y, *z;  // z or null
  int channels;
  const float* bias;  // or null
  bool activate;

  bool pairs() const { return can_pair_rows(y, channels) && can_pair_rows(z, channels); }
  template <int N>
  __device__ void operator()(int64_t token, int c, int n, const float (&value)[N]) const {
    const int64_t at = token * channels + c;
    float sum[N], result[N];
    for (int i = 0; i < N; ++i) {
      sum[i] = bias ? value[i] + bias[n + i] : value[i];
      result[i] = activate ? gelu_of<T>(sum[i]) : sum[i];
    }
    if (z) store(z + at, sum);
    store(y + at, result);
  }
};

// y = x + scale * (value + bias)
template <class T>
struct ResidualEpilogue {
  const T* x;
  T* y;
  int channels;
  const float *bias, *scale;  // scale or null
  Divisor clip_tokens;

  bool pairs() const { return can_pair_rows(y, channels); }
  template <int N>
  __device__ void operator()(int64_t token, int c, int n, const float (&value)[N]) const {
    const float s = scale ? scale[clip_tokens.quotient(static_cast<int>(token))] : 1.0f;
    const int64_t at = token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) result[i] = fmaf(s, value[i] + bias[n + i], load(x + at + i));
    store(y + at, result);
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
  __device__ void operator()(int64_t token, int c, int, const float (&value)[N]) const {
    const int64_t at = token * channels + c;
    float result[N];
    for (int i = 0; i < N; ++i) result[i] = value[i] * gelu_slope_of<T>(load(z + at + i));
    store(dz + at, result);
  }
};

}  // namespace morphmlp::cuda
