// Holds the product by TMA and wgmma to a plain one: every width with each operand by rows and by columns, ragged in
// every direction, in parts of k.
#include "cuda/gemm/hopper_gemm.h"
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

// An operand `size` times k of values that bf16 represents, for tiles of kWidth; transposed: by columns.
template <bool kTransposed, int kWidth>
struct Side {
  Side(int size, int k, int seed) : size(size), rows(kTransposed ? k : size), columns(kTransposed ? size : k) {
    for (int i = 0; i < size * k; ++i) store(&x.emplace_back(), static_cast<float>((i * 37 + seed) % 101 - 50) / 64.0f);
  }
  TmaOperand<kTransposed, kWidth> operand() const {
    return {tensor_map(x.data(), rows, columns, columns, kTransposed ? 64 : kWidth)};
  }
  double at(int i, int k) const {
    return load(&x[static_cast<size_t>(kTransposed ? k * columns + i : i * columns + k)]);
  }

  int size, rows, columns;
  std::vector<Bf16> x;
};

template <class A, class B>
double worst_of(const A& a, const B& b, int k, const std::vector<float>& y) {
  const auto found = [&](int i, int j) { return sum_of_parts(y, a.size, b.size, i, j); };
  return off(a.size, b.size, found,
             [&](int i, int j) {
               double sum = 0;
               for (int l = 0; l < k; ++l) sum += a.at(i, l) * b.at(j, l);
               return sum;
             })
             .worst /
         std::sqrt(k);
}

template <bool kTransposeA, bool kTransposeB, int kN>
bool product(int m, int n, int k, int parts, int blocks) {
  const Side<kTransposeA, HopperTile::kM> a(m, k, 5);
  const Side<kTransposeB, kN> b(n, k, 60);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  const int part = static_cast<int>(blocks_of(blocks_of(k, parts), 64) * 64);
  const auto tiles_n = blocks_of(n, kN), tiles = blocks_of(m, 128) * tiles_n;
  const StorePartial out{y.data(), n, int64_t{m} * n};
  using Kernel = HopperGemm<decltype(a.operand()), decltype(b.operand()), kN, StorePartial>;
  launch({blocks, 1, parts},
         Kernel{a.operand(), b.operand(), out, m, n, k, part, static_cast<int>(tiles), Divisor(tiles_n)});
  const double worst = worst_of(a, b, k, y);
  return report(worst <= 1e-5, "wgmma %d x %d x %d, transposed %d %d, width %d: off by %.1e", m, n, k, kTransposeA,
                kTransposeB, kN, worst);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = product<false, false, 112>(131, 117, 72, 1, 2);
  right = product<true, false, 112>(264, 120, 512, 1, 3) && right;
  right = product<false, true, 112>(387, 136, 456, 1, 2) && right;
  right = product<true, true, 112>(136, 232, 600, 2, 3) && right;
  right = product<false, false, 168>(131, 304, 1000, 1, 1) && right;
  right = product<true, false, 168>(264, 120, 248, 1, 2) && right;
  right = product<false, true, 168>(200, 336, 136, 1, 1) && right;
  right = product<true, true, 168>(136, 232, 459, 3, 2) && right;
  right = product<false, false, 224>(131, 117, 40, 1, 1) && right;
  right = product<true, false, 224>(136, 448, 328, 1, 2) && right;
  right = product<false, true, 224>(150, 232, 840, 1, 1) && right;
  right = product<true, true, 224>(136, 120, 456, 3, 2) && right;
  return right ? 0 : 1;
}
