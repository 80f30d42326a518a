// Pieces of layers for kernels, on either device: activations in f32 or bf16, LayerNorm, GELU and bias. Each struct is
// a body for morphmlp_each (one element) or morphmlp_rows (one row, or one block of columns).
#pragma once
#include <math.h>

#include "morphmlp_each.h"

// Elements of a tensor of activations: f32, or bf16 rounded to nearest.
struct morphmlp_values {
  void* data;
  int32_t dtype;

  MORPHMLP_DEVICE float get(int64_t i) const {
    if (dtype != MORPHMLP_BF16) return static_cast<const float*>(data)[i];
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(data)[i]) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }

  MORPHMLP_DEVICE void set(int64_t i, float value) const {
    if (dtype != MORPHMLP_BF16) {
      static_cast<float*>(data)[i] = value;
      return;
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = value != value ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1);
    static_cast<uint16_t*>(data)[i] = static_cast<uint16_t>(rounded >> 16);
  }
};

inline morphmlp_values morphmlp_values_of(const morphmlp_tensor* t) {
  return {t ? t->data : nullptr, t ? t->dtype : static_cast<int32_t>(MORPHMLP_F32)};
}

// to[i] = from[i] as f32
struct morphmlp_widen {
  morphmlp_values from;
  float* to;
  MORPHMLP_DEVICE void operator()(int64_t i) const { to[i] = from.get(i); }
};

// to[i] = from[i] + bias[i % n] in the type of `to`; bias may be nullptr
struct morphmlp_narrow {
  const float *from, *bias;
  int64_t n;
  morphmlp_values to;
  MORPHMLP_DEVICE void operator()(int64_t i) const { to.set(i, from[i] + (bias ? bias[i % n] : 0)); }
};

// y[r, :] += bias
struct morphmlp_add_bias {
  int64_t n;
  const float* bias;
  float* y;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t j = 0; j < n; ++j) y[r * n + j] += bias[j];
  }
};

// The sum over i < n of f(i), in an order that vectorizes.
template <class F>
MORPHMLP_DEVICE float morphmlp_sum(int64_t n, F f) {
  constexpr int kLanes = 16;
  float part[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) part[l] += f(i + l);
  float sum = 0;
  for (int l = 0; l < kLanes; ++l) sum += part[l];
  for (; i < n; ++i) sum += f(i);
  return sum;
}

// exp(x) for x <= 0
MORPHMLP_DEVICE inline float morphmlp_exp(float x) {
#if defined(__CUDACC__)
  return expf(x);
#else
  const float t = (x < -87.0f ? -87.0f : x) * 1.44269504f;
  const int32_t k = static_cast<int32_t>(t - 0.5f);
  const float f = (t - static_cast<float>(k)) * 0.693147181f;
  const float p =
      1 + f * (1 + f * (0.5f + f * (0.166666667f + f * (0.0416666667f + f * (8.33333333e-3f + f * 1.38888889e-3f)))));
  const int32_t bits = (k + 127) * (1 << 23);
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return p * scale;
#endif
}

// The distribution function of the standard normal distribution.
MORPHMLP_DEVICE inline float morphmlp_phi(float x) {
#if defined(__CUDACC__)
  return 0.5f * (1 + erff(x * 0.707106781f));
#else
  // A rational approximation of erf, right to 2e-7.
  const float wide = x * 0.707106781f, u = wide < -4 ? -4 : wide > 4 ? 4 : wide, s = u * u;
  const float p =
      -1.60960333262415e-02f +
      s * (-2.95459980854025e-03f +
           s * (-7.34990630326855e-04f +
                s * (-5.69250639462346e-05f +
                     s * (-2.10102402082508e-06f + s * (2.77068142495902e-08f + s * -2.72614225801306e-10f)))));
  const float q = -1.42647390514189e-02f +
                  s * (-7.37332916720468e-03f +
                       s * (-1.68282697438203e-03f + s * (-2.13374055278905e-04f + s * -1.45660718464996e-05f)));
  return 0.5f + 0.5f * u * p / q;
#endif
}

// The exact GELU and its derivative.
MORPHMLP_DEVICE inline float morphmlp_gelu(float x) { return x * morphmlp_phi(x); }
MORPHMLP_DEVICE inline float morphmlp_gelu_slope(float x) {
  return morphmlp_phi(x) + x * 0.39894228f * morphmlp_exp(-0.5f * x * x);
}

// Row r of y = gelu(z + bias), and of z += bias.
struct morphmlp_gelu_row {
  int64_t n;
  const float* bias;
  float *z, *y;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t j = 0; j < n; ++j) {
      const float value = z[r * n + j] + bias[j];
      z[r * n + j] = value;
      y[r * n + j] = morphmlp_gelu(value);
    }
  }
};

// Row r of dz = dy gelu'(z); dz may be dy.
struct morphmlp_gelu_backward_row {
  int64_t n;
  const float *z, *dy;
  float* dz;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t i = r * n; i < (r + 1) * n; ++i) dz[i] = dy[i] * morphmlp_gelu_slope(z[i]);
  }
};

// LayerNorm of row r: y, and the statistics that the backward reads.
struct morphmlp_norm_row {
  morphmlp_values x;
  int64_t cols;
  float eps;
  const float *gamma, *beta;
  float *y, *mean, *rstd;

  MORPHMLP_DEVICE void operator()(int64_t r) const {
    float* to = y + r * cols;
    for (int64_t j = 0; j < cols; ++j) to[j] = x.get(r * cols + j);
    const float m = morphmlp_sum(cols, [=](int64_t j) { return to[j]; }) / static_cast<float>(cols);
    const float variance = morphmlp_sum(cols, [=](int64_t j) { return (to[j] - m) * (to[j] - m); });
    const float scale = 1 / sqrtf(variance / static_cast<float>(cols) + eps);
    for (int64_t j = 0; j < cols; ++j) to[j] = (to[j] - m) * scale * gamma[j] + beta[j];
    mean[r] = m;
    rstd[r] = scale;
  }
};

// Row r of dx = residual + rstd (g - mean(g) - n mean(g n)) with g = dy gamma and n = (x - mean) rstd. `residual` may
// be absent.
struct morphmlp_norm_backward_row {
  morphmlp_values x, residual, dx;
  int64_t cols;
  const float *gamma, *mean, *rstd, *dy;

  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const int64_t first = r * cols;
    const float m = mean[r], scale = rstd[r];
    const auto g = [=](int64_t j) { return dy[first + j] * gamma[j]; };
    const auto n = [=](int64_t j) { return (x.get(first + j) - m) * scale; };
    const float sum = morphmlp_sum(cols, g) / static_cast<float>(cols);
    const float dot = morphmlp_sum(cols, [=](int64_t j) { return g(j) * n(j); }) / static_cast<float>(cols);
    for (int64_t j = 0; j < cols; ++j) {
      const float before = residual.data ? residual.get(first + j) : 0;
      dx.set(first + j, before + scale * (g(j) - sum - n(j) * dot));
    }
  }
};

// dgamma and dbeta of a block of 16 columns: sums over all rows, in double to bound the rounding error.
struct morphmlp_norm_parameters {
  morphmlp_values x;
  int64_t rows, cols;
  const float *mean, *rstd, *dy;
  float *dgamma, *dbeta;

  MORPHMLP_DEVICE void operator()(int64_t block) const {
    constexpr int64_t kColumns = 16;
    const int64_t first = block * kColumns, columns = cols - first < kColumns ? cols - first : kColumns;
    double gamma[kColumns] = {}, beta[kColumns] = {};
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t i = r * cols + first + j;
        gamma[j] += dy[i] * ((x.get(i) - mean[r]) * rstd[r]);
        beta[j] += dy[i];
      }
    for (int64_t j = 0; j < columns; ++j) {
      if (dgamma) dgamma[first + j] = static_cast<float>(gamma[j]);
      if (dbeta) dbeta[first + j] = static_cast<float>(beta[j]);
    }
  }
};

// Takes arrays of floats from the workspace, in order; with a nullptr it only counts.
struct morphmlp_arena {
  float* next;
  size_t taken;
  float* take(int64_t floats) {
    const size_t padded = (static_cast<size_t>(floats) + 15) / 16 * 16;
    taken += padded;
    float* here = next;
    if (next) next += padded;
    return here;
  }
};
