// The product by TMA and wgmma against a plain one, ragged in every direction.
#include <cstdio>
#include <vector>

#include "cuda/hopper_gemm.h"
#include "test/cuda_shim/host.h"

namespace morphmlp::cuda {

namespace {

std::vector<Bf16> numbers(int n, int seed) {
  std::vector<Bf16> x(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) store(&x[static_cast<size_t>(i)], static_cast<float>((i * 37 + seed) % 101 - 50) / 64.0f);
  return x;
}

template <bool kTurnA, bool kTurnB, int kN>
bool product(int m, int n, int k, int parts, int blocks) {
  const std::vector<Bf16> a = numbers(m * k, 5), b = numbers(n * k, 60);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  using Kernel = HopperGemm<kTurnA, kTurnB, kN, PutPart>;
  const auto map = [k](const Bf16* x, int size, bool turned, int box) {
    return turned ? tensor_map(x, k, size, size, 64) : tensor_map(x, size, k, k, box);
  };
  const int part = static_cast<int>(blocks_of(blocks_of(k, parts), 64) * 64);
  const auto tiles_n = blocks_of(n, kN), tiles = blocks_of(m, 128) * tiles_n;
  launch({blocks, 1, parts},
         Kernel{map(a.data(), m, kTurnA, 128), map(b.data(), n, kTurnB, kN), PutPart{y.data(), n, int64_t{m} * n}, m, n,
                k, part, static_cast<int>(tiles), Divisor(tiles_n)});
  double worst = 0;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0, found = 0;
      for (int l = 0; l < k; ++l)
        sum += static_cast<double>(load(&a[kTurnA ? l * m + i : i * k + l])) * load(&b[kTurnB ? l * n + j : j * k + l]);
      for (int p = 0; p < parts; ++p) found += y[(p * m + i) * n + j];
      worst = found != found ? INFINITY : std::max(worst, std::abs(sum - found) / std::sqrt(k));
    }
  const bool right = worst <= 1e-5;
  std::printf("wgmma %d x %d x %d, turned %d %d, width %d: off by %.1e  %s\n", m, n, k, kTurnA, kTurnB, kN, worst,
              right ? "right" : "WRONG");
  return right;
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = product<false, false, 112>(131, 117, 72, 1, 2);
  right = product<false, true, 168>(200, 336, 136, 1, 1) && right;
  right = product<true, true, 224>(136, 120, 456, 3, 2) && right;
  right = product<true, false, 112>(264, 120, 512, 1, 3) && right;
  return right ? 0 : 1;
}
