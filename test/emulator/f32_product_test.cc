// Holds the products of f32 to float64: by 3xTF32 with the emulated tensor cores, which cut off what they add, by rows
// and by columns, ragged in every direction, and over long sums, where cutting off shows if it is left to grow; and
// those by FFMA to their own bits, read one by one.
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

// d = a b + d by one mma of TF32, its fragments filled by the PTX ISA's formulas ("Matrix fragments for mma.m16n8k8"):
// a[16][8], b[8][8], d[16][8].
struct Multiply : OneWarp {
  const float *a, *b;
  float* d;

  __device__ void operator()(None&) const {
    uint32_t left[4], right[2];
    for (int i = 0; i < 4; ++i) {
      const int row = group() + (i == 0 || i == 2 ? 0 : 8), column = member() + (i < 2 ? 0 : 4);
      left[i] = bits_of(a[row * 8 + column]);
    }
    for (int i = 0; i < 2; ++i) right[i] = bits_of(b[(member() + 4 * i) * 8 + group()]);
    float sum[4];
    const auto at = [](int i) { return (group() + (i < 2 ? 0 : 8)) * 8 + member() * 2 + i % 2; };
    for (int i = 0; i < 4; ++i) sum[i] = d[at(i)];
    mma_m16n8k8(sum, left, right[0], right[1]);
    for (int i = 0; i < 4; ++i) d[at(i)] = sum[i];
  }
};

// Whole numbers, whose products and sums are exact.
bool fragments() {
  std::vector<float> a(128), b(64), d(128);
  for (int i = 0; i < 128; ++i) a[i] = static_cast<float>((i * 37 + 3) % 101 - 50), d[i] = static_cast<float>(i);
  for (int i = 0; i < 64; ++i) b[i] = static_cast<float>((i * 29 + 5) % 97 - 48);
  launch({1}, Multiply{{}, a.data(), b.data(), d.data()});
  const Factor<float> left{a, 16, 8, false}, right{b, 8, 8, true};
  const auto found = [&](int m, int n) { return d[m * 8 + n]; };
  const auto expected = [&](int m, int n) { return m * 8 + n + product_at(left, right, m, n); };
  const double worst = off(16, 8, found, expected).worst;
  return check("mma.sync of TF32", worst == 0, worst);
}

// Products that are too small beside a sum of one are lost, where one that is rounded would grow; those just large
// enough are added; of a sum the last bit is cut off, and of an operand what lies behind its 19th.
bool cutting_off() {
  const auto sum = [](float first, double product, int terms) {
    std::vector<float> a(128), b(64, 1), d(128, first);
    for (int i = 0; i < 128; ++i) a[i] = i % 8 < terms ? static_cast<float>(product) : 0.0f;
    launch({1}, Multiply{{}, a.data(), b.data(), d.data()});
    return static_cast<double>(d[0]) - first;
  };
  const double unit = std::ldexp(1, -24);
  const bool right = sum(1, 0.99 * unit, 8) == 0 && sum(1, unit, 8) == 8 * unit && sum(-1, 0.99 * unit, 8) == 0 &&
                     sum(1, 3 * unit, 1) == 2 * unit && sum(0, 1 + 1.0 / 2048, 8) == 8;
  return check("sums are cut off", right, sum(1, 0.99 * unit, 8));
}

// a[m, k] b[n, k] in parts of k.
template <bool kTurnA, bool kTurnB, class P = MmaProduct<MmaTf32x3>>
double product(int m, int n, int k, int parts, bool positive = false) {
  const std::vector<float> a = uniform(m * k, 5, positive), b = uniform(n * k, 60, positive);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  launch_product<P>(operand<kTurnA>(a.data(), m, k), operand<kTurnB>(b.data(), n, k), k,
                    PutPart{y.data(), n, static_cast<int64_t>(m) * n}, parts);
  return share(off(Factor<float>{a, m, k, kTurnA}, {b, n, k, kTurnB}, y));
}

// All of k in the tensor cores' own sums.
struct Unflushed : MmaTf32x3 {
  template <class TileA, class TileB>
  __device__ static void multiply(const TileA& a, int m, const TileB& b, int n, Sums& sum) {
    const First left[kSteps] = {first_operand(a, m, 0), first_operand(a, m, 8)};
    for (int j = 0; j < kTilesN; ++j) add_run(sum[0][j], left, second_operand(b, n + 8 * j));
  }
};

// `multiply` takes the kind that was asked for: TF32 alone leaves out what small parts add, FFMA rounds differently.
bool is_chosen() {
  const int m = 20, n = 12, k = 40;
  const std::vector<float> a = uniform(m * k, 1), b = uniform(n * k, 2);
  const auto run = [&](F32By by) {
    std::vector<float> y(static_cast<size_t>(m * n), NAN);
    f32_kind = by;
    multiply<float>(operand<false>(a.data(), m, k), operand<false>(b.data(), n, k), k, PutPart{y.data(), n, 0});
    return y;
  };
  const std::vector<float> ffma = run(F32By::ffma), tf32 = run(F32By::tf32x3);
  const Factor<float> left{a, m, k, false}, right{b, n, k, false};
  const double errors[] = {share(off(left, right, ffma)), share(off(left, right, tf32))};
  f32_kind = F32By::ffma;
  return check("is chosen", ffma != tf32 && errors[0] < 5e-7 && errors[1] < 5e-7, errors[1]);
}

// By FFMA, with operands where four numbers may be read at once, and one number further, where they may not.
template <bool kTurnA, bool kTurnB>
bool same_bits(const char* what, int m, int n, int k) {
  const auto run = [&](size_t offset) {
    std::vector<float> a = uniform(m * k + 1, 7), b = uniform(n * k + 1, 8);
    if (offset) a.insert(a.begin(), 0.0f), b.insert(b.begin(), 0.0f);
    std::vector<float> y(static_cast<size_t>(2 * m * n), NAN);
    const auto left = operand<kTurnA>(a.data() + offset, m, k);
    const auto right = operand<kTurnB>(b.data() + offset, n, k);
    launch_product<Product<float>>(left, right, k, PutPart{y.data(), n, static_cast<int64_t>(m) * n}, 2);
    return std::make_pair(y, left.run * right.run);
  };
  const auto [wide, wide_run] = run(0);
  const auto [narrow, narrow_run] = run(1);
  return check(what, wide == narrow && wide_run >= 16 && narrow_run == 1, wide_run);
}

// Over 4096 numbers the errors of cutting off show, and those of FFMA's one sum.
[[maybe_unused]] bool long_sums() {
  const double ffma = product<false, true, Product<float>>(8, 8, 4096, 1, true);
  bool right = check("FFMA over 4096", ffma < 4e-6, ffma);
  const double flushed = product<false, true>(8, 8, 4096, 1, true);
  right = check("3xTF32 over 4096", flushed < 1e-6, flushed) && right;
  const double unflushed = product<false, true, MmaProduct<Unflushed>>(8, 8, 4096, 1, true);
  right = check("and left to grow, it is wrong", unflushed > 4e-6, unflushed) && right;
  const double cancelling = product<false, true>(8, 8, 4096, 1);
  right = check("3xTF32 over 4096, of either sign", cancelling < 1e-6, cancelling) && right;
  return right;
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = fragments() && cutting_off();
  right = check("3xTF32, rows by rows", product<false, false>(131, 61, 70, 2)) && right;
  right = check("3xTF32, rows by columns", product<false, true>(3, 117, 33, 1)) && right;
  right = check("3xTF32, columns by columns", product<true, true>(129, 8, 170, 3)) && right;
  right = check("3xTF32, columns by rows", product<true, false>(130, 57, 31, 1)) && right;
  right = check("3xTF32 of copied quads, rows by rows", product<false, false>(130, 60, 84, 2)) && right;
  right = check("3xTF32 of copied quads, columns by columns", product<true, true>(132, 60, 50, 1)) && right;
#ifndef __SANITIZE_THREAD__  // which looks for races, and takes minutes for so many steps
  right = long_sums() && right;
#endif
  right = is_chosen() && right;
  right = same_bits<false, false>("FFMA, rows four at once: the same bits", 130, 70, 100) && right;
  right = same_bits<false, true>("FFMA, and columns", 3, 68, 36) && right;
  right = same_bits<true, true>("FFMA, both by columns", 132, 8, 37) && right;
  return right ? 0 : 1;
}
