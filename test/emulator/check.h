// Shared by the test programs: how they fill, compare and print. NaN counts as infinitely wrong.
#pragma once
#include <cmath>
#include <cstdio>
#include <vector>

#include "test/emulator/host.h"

namespace morphmlp::cuda {

// A line that ends in "right" or "WRONG", which the tests count.
template <class... Args>
bool report(bool right, const char* format, Args... args) {
  std::printf(format, args...);
  std::printf("  %s\n", right ? "right" : "WRONG");
  return right;
}

inline bool check(const char* what, double worst, double allowed) {
  return report(worst <= allowed, "%-34s off by %.1e", what, worst);
}

// The larger in size; a NaN is infinite.
inline double worse(double a, double b) {
  return a == a && b == b ? std::max(std::abs(a), std::abs(b)) : static_cast<double>(INFINITY);
}

// Values that bf16 represents.
template <class T>
std::vector<T> numbers(int64_t n, int seed) {
  std::vector<T> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) store(&x[i], static_cast<float>((i * 37 + seed) % 101 - 50) / 64.0f);
  return x;
}

// A factor of a product: x[size, k], or turned x[k, size].
template <class T>
struct Factor {
  const std::vector<T>& x;
  int size, k;
  bool turned;

  double at(int i, int l) const { return load(&x[turned ? l * size + i : i * k + l]); }
};

template <bool kTransposed, class T>
auto operand(const T* x, int size, int k) {
  if constexpr (kTransposed)
    return by_column(gather(PlainLayout{}, Dense<T>{x, size}), size);
  else
    return by_row(gather(PlainLayout{}, Dense<T>{x, k}), size);
}

template <class T>
double product_at(const Factor<T>& a, const Factor<T>& b, int i, int j) {
  double sum = 0;
  for (int l = 0; l < a.k; ++l) sum += a.at(i, l) * b.at(j, l);
  return sum;
}

// The largest difference, and the largest number that was expected.
struct Off {
  double worst = 0, largest = 0;
};

inline double share(const Off& off) { return off.worst / off.largest; }

template <class Found, class Expected>
Off off(int rows, int columns, Found found, Expected expected) {
  Off off;
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) {
      const double right = expected(i, j);
      off.worst = worse(off.worst, found(i, j) - right);
      off.largest = worse(off.largest, right);
    }
  return off;
}

// Number (i, j) of y, parts of a product that lie one after another.
inline double sum_of_parts(const std::vector<float>& y, int rows, int columns, int i, int j) {
  double sum = 0;
  for (size_t at = static_cast<size_t>(i) * columns + j; at < y.size(); at += static_cast<size_t>(rows) * columns)
    sum += y[at];
  return sum;
}

template <class T>
Off off(const Factor<T>& a, const Factor<T>& b, const std::vector<float>& y) {
  return off(
      a.size, b.size, [&](int i, int j) { return sum_of_parts(y, a.size, b.size, i, j); },
      [&](int i, int j) { return product_at(a, b, i, j); });
}

// One warp, its lanes numbered as the PTX ISA's tables of fragments have them.
struct OneWarp {
  static constexpr int kThreads = 32;
  using Shared = None;
  __device__ static int group() { return static_cast<int>(threadIdx.x) / 4; }
  __device__ static int member() { return static_cast<int>(threadIdx.x) % 4; }
};

}  // namespace morphmlp::cuda
