// Shared by tests of fused kernels on bf16 tokens: random values of a size, and an FC in double.
#pragma once
#include "test/emulator/check.h"

namespace morphmlp::cuda {

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

// In parts of the largest number.
inline double share_off(const Bf16* found, const std::vector<double>& expected) {
  const auto at = [&](int, int i) { return load(found + i); };
  return share(off(1, static_cast<int>(expected.size()), at, [&](int, int i) { return expected[i]; }));
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
