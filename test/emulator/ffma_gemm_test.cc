// Holds the products of f32 on the FFMA units to float64: by rows and by columns, ragged in every direction, over long
// sums; and to the bits that operands read one by one give.
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

bool check(const char* what, bool right, double figure) { return report(right, "%-46s %.1e", what, figure); }

bool check(const char* what, double worst) { return check(what, worst <= 5e-7, worst); }

// In (-1, 1) or, `positive`, in (0, 1), with all bits of an f32 in use.
std::vector<float> uniform(int64_t n, uint32_t seed, bool positive = false) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) {
    seed = seed * 1664525u + 1013904223u;
    const float unit = static_cast<float>(seed >> 8) / 16777216.0f;
    v = positive ? unit : 2 * unit - 1;
  }
  return x;
}

// a[m, k] b[n, k] in parts of k.
template <bool kTransposeA, bool kTransposeB>
double product(int m, int n, int k, int parts, bool positive = false) {
  const std::vector<float> a = uniform(m * k, 5, positive), b = uniform(n * k, 60, positive);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  launch_gemm<GemmFor<float>>(operand<kTransposeA>(a.data(), m, k), operand<kTransposeB>(b.data(), n, k), k,
                              StorePartial{y.data(), n, static_cast<int64_t>(m) * n}, parts);
  return share(off(Factor<float>{a, m, k, kTransposeA}, {b, n, k, kTransposeB}, y));
}

// By FFMA, with operands where four numbers may be read at once, and one number further, where they may not.
template <bool kTransposeA, bool kTransposeB>
bool same_bits(const char* what, int m, int n, int k) {
  const auto run = [&](size_t offset) {
    std::vector<float> a = uniform(m * k + 1, 7), b = uniform(n * k + 1, 8);
    if (offset) a.insert(a.begin(), 0.0f), b.insert(b.begin(), 0.0f);
    std::vector<float> y(static_cast<size_t>(2 * m * n), NAN);
    const auto left = operand<kTransposeA>(a.data() + offset, m, k);
    const auto right = operand<kTransposeB>(b.data() + offset, n, k);
    launch_gemm<GemmFor<float>>(left, right, k, StorePartial{y.data(), n, static_cast<int64_t>(m) * n}, 2);
    return std::make_pair(y, left.run * right.run);
  };
  const auto [wide, wide_run] = run(0);
  const auto [narrow, narrow_run] = run(1);
  return check(what, wide == narrow && wide_run >= 16 && narrow_run == 1, wide_run);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = check("FFMA, rows by rows", product<false, false>(131, 61, 70, 2));
  right = check("FFMA, rows by columns", product<false, true>(3, 117, 33, 1)) && right;
  right = check("FFMA, columns by columns", product<true, true>(129, 8, 170, 3)) && right;
  right = check("FFMA, columns by rows", product<true, false>(130, 57, 31, 1)) && right;
  right = check("FFMA, rows four at once", product<false, false>(130, 60, 84, 2)) && right;
  right = check("FFMA, columns four at once", product<true, true>(132, 60, 50, 1)) && right;
#ifndef __SANITIZE_THREAD__  // which looks for races, and takes minutes for so many steps
  const double long_sum = product<false, true>(8, 8, 4096, 1, true);
  right = check("FFMA over 4096", long_sum < 4e-6, long_sum) && right;
#endif
  right = same_bits<false, false>("FFMA, rows four at once: the same bits", 130, 70, 100) && right;
  right = same_bits<false, true>("FFMA, and columns", 3, 68, 36) && right;
  right = same_bits<true, true>("FFMA, both by columns", 132, 8, 37) && right;
  return right ? 0 : 1;
}
