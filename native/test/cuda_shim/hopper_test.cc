// The product by TMA and wgmma against a plain one, ragged in every direction.
#include "cuda/hopper_gemm.h"
#include "test/cuda_shim/check.h"

namespace morphmlp::cuda {

namespace {

template <bool kTurnA, bool kTurnB, int kN>
bool product(int m, int n, int k, int parts, int blocks) {
  const std::vector<Bf16> a = numbers<Bf16>(m * k, 5), b = numbers<Bf16>(n * k, 60);
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
  const double worst = off(Factor<Bf16>{a, m, k, kTurnA}, {b, n, k, kTurnB}, y).worst / std::sqrt(k);
  return report(worst <= 1e-5, "wgmma %d x %d x %d, turned %d %d, width %d: off by %.1e", m, n, k, kTurnA, kTurnB, kN,
                worst);
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
