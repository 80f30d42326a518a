// Shows that the emulation sees a forgotten barrier: a sum over a block with one and without. Compiled with fibers.cc
// it must give another number without; with threads.cc and ThreadSanitizer that must be reported as a race, and a
// product and sums of the real kernels must not. See barrier_test.sh.
#include <cstdio>
#include <string>
#include <vector>

#include "cuda/epilogue/column_sums.h"
#include "cuda/gemm/async_copy.h"
#include "cuda/gemm/mma.h"
#include "cuda/ops/norm_kernels.h"
#include "test/emulator/host.h"

namespace morphmlp::cuda {

namespace {

// y = the sum of x over a block of 64 threads; the second warp writes what the first one adds.
template <bool kBarrier>
struct Sum {
  static constexpr int kThreads = 64;
  struct Shared {
    float x[kThreads];
  };
  const float* x;
  float* y;

  __device__ void operator()(Shared& s) const {
    s.x[threadIdx.x] = x[threadIdx.x];
    if (kBarrier) __syncthreads();
    if (threadIdx.x > 0) return;
    float sum = 0;
    for (float v : s.x) sum += v;
    *y = sum;
  }
};

bool check(const char* what, double found, double expected) {
  const bool right = std::abs(found - expected) <= 1e-5 * std::abs(expected);
  std::printf("%-28s %12.6f, expected %12.6f  %s\n", what, found, expected, right ? "right" : "WRONG");
  return right;
}

std::vector<float> numbers(int n) {
  std::vector<float> x(n);
  for (int i = 0; i < n; ++i) x[i] = static_cast<float>((i * 37 + 11) % 101) / 64.0f;
  return x;
}

bool with_barrier() {
  const std::vector<float> x(64, 0.5f);
  float y = 0;
  launch({1}, Sum<true>{x.data(), &y});
  return check("a sum with its barrier", y, 32);
}

bool without_barrier() {
  const std::vector<float> x(64, 0.5f);
  float y = 0;
  launch({1}, Sum<false>{x.data(), &y});
  return check("a sum without its barrier", y, 32);
}

// Two tiles, ragged in every direction, and three parts of k.
bool product() {
  constexpr int m = 131, n = 5, k = 600, parts = 3;
  const std::vector<float> a = numbers(m * k), b = numbers(n * k);
  std::vector<float> y(parts * m * n);
  multiply<float>(by_row(gather(PlainLayout{}, Dense<float>{a.data(), k}), m),
                  by_row(gather(PlainLayout{}, Dense<float>{b.data(), k}), n), k, StorePartial{y.data(), n, m * n},
                  parts);
  double expected = 0, found = 0;
  for (int i = 0; i < k; ++i) expected += static_cast<double>(a[130 * k + i]) * b[4 * k + i];
  for (int p = 0; p < parts; ++p) found += y[p * m * n + 130 * n + 4];
  return check("a product", found, expected);
}

// Every way of the kernels to access several values at once (numbers.h, async_copy.h, mma.h).
enum Access { kLoad, kLoadHalf, kStore, kStoreHalf, kStorePair, kCopy, kMatrix, kMatrixTransposed };

struct AccessAt {
  static constexpr int kThreads = kWarpSize;
  struct alignas(16) Shared {
    Bf16 to[8];
  };

  Access how;
  Bf16* at;

  __device__ void operator()(Shared& s) const {
    uint32_t words[4];
    switch (how) {
      case kLoad:
        return void(load_words<uint4>(at));
      case kLoadHalf:
        return void(load_words<uint2>(at));
      case kStore:
        return store_words(at, make_uint4(0, 0, 0, 0));
      case kStoreHalf:
        return store_words(at, make_uint2(0, 0));
      case kStorePair:
        return store(at, {1.0f, 2.0f});
      case kCopy:
        return copy_async(s.to, at), end_copy_group(), wait_for_copies<0>();
      case kMatrix:
        return ldmatrix(words, at);
      default:
        return ldmatrix_trans(words, at);
    }
  }
};

// Accesses memory at its alignment, then `beyond` values further, where the emulation must abort.
bool misaligned(Access how) {
  alignas(16) Bf16 x[16] = {};
  const int beyond = how == kStorePair ? 1 : how == kLoadHalf || how == kStoreHalf ? 2 : 4;
  const auto access = [&](Bf16* at) { launch({1}, AccessAt{how, at}); };
  access(x);
  std::fprintf(stderr, "aligned accesses passed\n");
  access(x + beyond);
  return false;
}

bool norm() {
  constexpr int rows = 9, cols = 45;
  const std::vector<float> x = numbers(rows * cols), dy = numbers(rows * cols), gamma(cols, 1.0f);
  std::vector<float> mean(rows), rstd(rows), dx(rows * cols), dgamma(cols), dbeta(cols);
  norm_statistics(x.data(), rows, cols, 1e-5f, mean.data(), rstd.data());
  norm_backward<float>({rows, cols, x.data(), gamma.data(), mean.data(), rstd.data(), dy.data(), nullptr, dx.data(),
                        dgamma.data(), dbeta.data()});
  double sum = 0, expected = 0;
  for (int i = 0; i < cols; ++i) sum += x[8 * cols + i];
  for (int i = 0; i < rows; ++i) expected += dy[i * cols + 44];
  return check("the mean of a row", mean[8], sum / cols) && check("a column's sum", dbeta[44], expected);
}

bool bf16() {
  const std::vector<float> x = {1.0f, -3.14159f, 1.00390625f, 65504.0f};
  bool right = true;
  for (float v : x) {
    Bf16 stored;
    store(&stored, v);
    right = right && std::abs(load(&stored) - v) <= std::abs(v) / 256;
  }
  Bf16 half;
  store(&half, 1.00390625f);  // half-way between two bf16: to the even one
  return check("a number as bf16", load(&half), 1.0) && right;
}

}  // namespace
}  // namespace morphmlp::cuda

int main(int, char** given) {
  using namespace morphmlp::cuda;
  const std::string broken = given[1] ? given[1] : "";
  if (broken == "misaligned") return misaligned(static_cast<Access>(std::atoi(given[2]))) ? 0 : 1;
  if (broken == "forgotten") return without_barrier() ? 0 : 1;
  return with_barrier() && product() && norm() && bf16() ? 0 : 1;
}
