// Holds the emulated tensor-core instructions to the fragment layouts of the PTX ISA ("Matrix fragments for
// mma.m16n8k16 with floating point type", "ldmatrix"), written here a second time, and to a plain product; then the
// product kernel of bf16 by rows and by columns, ragged in every direction.
#include <cstdio>
#include <vector>

#include "test/cuda_shim/host.h"

namespace morphmlp::cuda {

namespace {

bool check(const char* what, double worst) {
  const bool right = worst <= 1e-5;
  std::printf("%-34s off by %.1e  %s\n", what, worst, right ? "right" : "WRONG");
  return right;
}

// Numbers that bf16 holds.
std::vector<Bf16> numbers(int n, int seed) {
  std::vector<Bf16> x(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) store(&x[static_cast<size_t>(i)], static_cast<float>((i * 37 + seed) % 101 - 50) / 64.0f);
  return x;
}

struct OneWarp {
  static constexpr int kThreads = 32;
  using Shared = None;
  __device__ static int group() { return static_cast<int>(threadIdx.x) / 4; }
  __device__ static int member() { return static_cast<int>(threadIdx.x) % 4; }
};

__device__ uint32_t word(const Bf16* low, const Bf16* high) {
  return low->bits | static_cast<uint32_t>(high->bits) << 16;
}

// d = a b + d by one mma, its fragments filled by the PTX ISA's formulas: a[16][16], b[16][8], d[16][8].
struct Multiply : OneWarp {
  const Bf16 *a, *b;
  float* d;

  __device__ void operator()(None&) const {
    uint32_t left[4], right[2];
    for (int i = 0; i < 8; i += 2) {
      const int row = group() + (i % 4 < 2 ? 0 : 8), column = member() * 2 + (i < 4 ? 0 : 8);
      left[i / 2] = word(a + row * 16 + column, a + row * 16 + column + 1);
    }
    for (int i = 0; i < 4; i += 2) {
      const int row = member() * 2 + (i < 2 ? 0 : 8);
      right[i / 2] = word(b + row * 8 + group(), b + (row + 1) * 8 + group());
    }
    float sum[4] = {1, 1, 1, 1};
    mma_m16n8k16(sum, left, right[0], right[1]);
    for (int i = 0; i < 4; ++i) d[(group() + (i < 2 ? 0 : 8)) * 8 + member() * 2 + i % 2] = sum[i];
  }
};

// wrong += the words of ldmatrix, or with kTurned of ldmatrix_trans, that are not what the PTX ISA says: of matrix i of
// four below each other, x[32][8].
template <bool kTurned>
struct Load : OneWarp {
  const Bf16* x;
  int* wrong;  // one a lane

  __device__ void operator()(None&) const {
    uint32_t got[4];
    const Bf16* row = x + threadIdx.x * 8;
    if (kTurned)
      ldmatrix_trans(got, row);
    else
      ldmatrix(got, row);
    int count = 0;
    for (int i = 0; i < 4; ++i) {
      const int r = kTurned ? member() * 2 : group(), c = kTurned ? group() : member() * 2;
      const Bf16* first = x + (8 * i + r) * 8 + c;
      count += got[i] != word(first, first + (kTurned ? 8 : 1));
    }
    wrong[threadIdx.x] = count;
  }
};

bool fragments() {
  const std::vector<Bf16> a = numbers(256, 3), b = numbers(128, 40);
  std::vector<float> d(128);
  launch({1}, Multiply{{}, a.data(), b.data(), d.data()});
  double worst = 0;
  for (int m = 0; m < 16; ++m)
    for (int n = 0; n < 8; ++n) {
      double sum = 1;
      for (int k = 0; k < 16; ++k) sum += static_cast<double>(load(&a[m * 16 + k])) * load(&b[k * 8 + n]);
      worst = std::max(worst, std::abs(sum - d[m * 8 + n]));
    }
  std::vector<int> wrong(64);
  launch({1}, Load<false>{{}, a.data(), wrong.data()});
  launch({1}, Load<true>{{}, a.data(), wrong.data() + 32});
  int count = 0;
  for (int w : wrong) count += w;
  return check("mma.sync", worst) && check("ldmatrix", count);
}

// a[m, k] b[n, k] in parts of k, each operand by rows and by columns.
template <bool kTurnA, bool kTurnB>
double product(int m, int n, int k, int parts) {
  const std::vector<Bf16> a = numbers(m * k, 5), b = numbers(n * k, 60);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  const auto by = [](auto turn, const Bf16* x, int size, int k) {
    if constexpr (decltype(turn)::value)
      return by_column(gather(PlainLayout{}, Dense<Bf16>{x, size}), size);
    else
      return by_row(gather(PlainLayout{}, Dense<Bf16>{x, k}), size);
  };
  multiply<Bf16>(by(std::bool_constant<kTurnA>{}, a.data(), m, k), by(std::bool_constant<kTurnB>{}, b.data(), n, k), k,
                 PutPart{y.data(), n, static_cast<int64_t>(m) * n}, parts);
  double worst = 0;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0, found = 0;
      for (int l = 0; l < k; ++l)
        sum += static_cast<double>(load(&a[kTurnA ? l * m + i : i * k + l])) * load(&b[kTurnB ? l * n + j : j * k + l]);
      for (int p = 0; p < parts; ++p) found += y[(p * m + i) * n + j];
      worst = std::max(worst, std::abs(sum - found) / std::sqrt(k));
      if (found != found) worst = INFINITY;
    }
  return worst;
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = fragments();
  right = check("a product, rows by rows", product<false, false>(131, 117, 70, 2)) && right;
  right = check("a product, rows by columns", product<false, true>(3, 225, 33, 1)) && right;
  right = check("a product, columns by columns", product<true, true>(129, 8, 170, 3)) && right;
  right = check("a product, columns by rows", product<true, false>(130, 113, 31, 1)) && right;
  right = check("a product of copied octets", product<false, true>(130, 120, 360, 2)) && right;
  right = check("another, both by columns", product<true, true>(136, 8, 200, 1)) && right;
  return right ? 0 : 1;
}
