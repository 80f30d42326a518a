// Holds the moments that a product leaves of each tile's columns to those of what it stored: f32 and bf16 operands,
// ragged in every direction, results so far from zero that a sum of their squares would have no digits left.
#include "cuda/gemm/gemm_bn_stats.h"
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

// Rows of a second operand, which are not copied: of both there would not be room for three buffers.
template <class T>
struct Rows {
  const T* x;
  int k;

  using Row = const T*;
  __device__ Row row(int n) const { return x + static_cast<int64_t>(n) * k; }
  __device__ float at(Row row, int c) const { return load(row + c); }
};

struct Shifted {
  float* y;
  int n;
  static constexpr bool pairs = false;

  using Row = float*;
  template <int N>
  __device__ void apply(Row, int column, float (&value)[N]) const {
    for (int i = 0; i < N; ++i) value[i] += 1000.0f + static_cast<float>(column + i);
  }
  __device__ Row row(int m) const { return y + static_cast<int64_t>(m) * n; }
  template <int N>
  __device__ void write(Row row, int column, const float (&value)[N]) const {
    store(row + column, value);
  }
};

struct Exact {
  double mean = 0, m2 = 0;
};

// Moments of column n over rows first .. last - 1.
Exact exact(const std::vector<float>& y, int columns, int n, int first, int last) {
  Exact of;
  for (int m = first; m < last; ++m) of.mean += static_cast<double>(y[m * columns + n]) / (last - first);
  for (int m = first; m < last; ++m) of.m2 += (y[m * columns + n] - of.mean) * (y[m * columns + n] - of.mean);
  return of;
}

// A mean may be off by steps of f32, squares by what such steps make of differences of about one.
template <class T>
bool moments(const char* what, int m, int n, int k) {
  const std::vector<T> a = numbers<T>(m * k, 5), b = numbers<T>(n * k, 60);
  const int tile = kBnStatsRows<T>, tiles = (m + tile - 1) / tile;
  std::vector<float> y(static_cast<size_t>(m * n), NAN);
  std::vector<Moments> found(static_cast<size_t>(tiles * n), {NAN, NAN});
  multiply_with_bn_stats<T>(by_row(gather(PlainLayout{}, Dense<T>{a.data(), k}), m), by_row(Rows<T>{b.data(), k}, n), k,
                            Shifted{y.data(), n}, found.data(), n);
  double mean = 0, m2 = 0;
  bool right = true;
  for (int i = 0; i < tiles * n; ++i) {
    const Exact of = exact(y, n, i % n, i / n * tile, std::min(m, (i / n + 1) * tile));
    const double off = std::abs(found[i].mean / of.mean - 1), off2 = std::abs(found[i].m2 - of.m2) / (of.m2 + 1e-3);
    right = right && off <= 4e-7 && off2 <= 2e-4;
    mean = worse(mean, off);
    m2 = worse(m2, off2);
  }
  return report(right, "%-28s means off by %.1e, squares by %.1e", what, mean, m2);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp;
  bool right = cuda::moments<Bf16>("bf16, three tiles of rows", 291, 117, 40);
  right = cuda::moments<float>("f32, three tiles of rows", 291, 67, 19) && right;
  right = cuda::moments<Bf16>("bf16, one row in a tile", 129, 3, 8) && right;
  right = cuda::moments<float>("f32, one row in a tile", 129, 3, 8) && right;
  return right ? 0 : 1;
}
