// What tests of fused kernels of bf16 tokens share: numbers, and how far results are from those in double.
#pragma once
#include <cmath>
#include <cstdio>
#include <vector>

#include "cuda/numbers.h"

namespace morphmlp::cuda {

inline bool check(const char* what, double worst, double allowed) {
  const bool right = worst <= allowed;
  std::printf("%-34s off by %.1e  %s\n", what, worst, right ? "right" : "WRONG");
  return right;
}

inline std::vector<float> numbers(int64_t n, int seed, double scale, double offset = 0) {
  std::vector<float> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    x[i] = static_cast<float>(offset + scale * static_cast<double>((i * 37 + i / 7 * 11 + seed) % 101 - 50) / 50);
  return x;
}

inline std::vector<Bf16> rounded(const std::vector<float>& x) {
  std::vector<Bf16> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) store(&y[i], x[i]);
  return y;
}

// The larger in size; a NaN is infinite.
inline double greater(double a, double b) {
  const double larger = std::max(std::abs(a), std::abs(b));
  return a == a && b == b ? larger : INFINITY;
}

// In parts of the largest number.
inline double off(const Bf16* found, const std::vector<double>& expected) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    worst = greater(load(found + i) - expected[i], worst);
    largest = greater(expected[i], largest);
  }
  return worst / largest;
}

// An FC of one row. `bias` may be empty.
inline std::vector<double> fc(const std::vector<double>& in, const std::vector<float>& w, const std::vector<float>& b) {
  std::vector<double> out(w.size() / in.size());
  for (size_t j = 0; j < out.size(); ++j) {
    out[j] = b.empty() ? 0 : b[j];
    for (size_t i = 0; i < in.size(); ++i) out[j] += in[i] * w[j * in.size() + i];
  }
  return out;
}

}  // namespace morphmlp::cuda
