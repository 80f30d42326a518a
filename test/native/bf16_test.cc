// Tests of bf16 for one instruction set: rounding, and the GEMM core on operands in bf16. See gemm_test.sh.
#include <algorithm>
#include <limits>
#include <vector>

#include "check.h"
#include "cpu/gemm/gemm.h"

using check::expect;
using check::Random;
using std::int64_t;
namespace isa = morphmlp::MORPHMLP_ISA;
using morphmlp::Bf16;
using Element = isa::Operand<Bf16>;

namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Every bf16 number, its neighbours and the midpoints beside it: vectors, tails and scalars round alike.
void test_rounding() {
  for (uint32_t high = 0; high < 0x10000; ++high) {
    if ((high & 0x7F80) == 0) continue;  // denormal
    for (uint32_t low : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      const float value = from_bits(high << 16 | low);
      Bf16 scalar, whole[isa::kLanes], tail[2] = {{0x1234}, {0x5678}};
      isa::assign(&scalar, value);
      isa::store(whole, isa::set1(value));
      isa::store_n(tail, isa::set1(value), 1);
      const bool is_nan = value != value, up = low > 0x8000 || (low == 0x8000 && (high & 1));
      const uint32_t expected = is_nan ? (high | 0x40) : high + (up ? 1 : 0);
      expect(scalar.bits == expected, "%x%04x rounds to %x", high, low, scalar.bits);
      expect(whole[isa::kLanes - 1].bits == expected && tail[0].bits == expected && tail[1].bits == 0x5678,
             "%x%04x rounds to %x in a vector, %x in a tail", high, low, whole[0].bits, tail[0].bits);
      float back[isa::kLanes], one[isa::kLanes], rounded[isa::kLanes];
      isa::store(back, isa::load(whole));
      isa::store(one, isa::load_n(tail, 1));
      isa::store(rounded, isa::round_bf16(isa::set1(value)));
      for (float wide : {back[0], one[0], rounded[0], isa::to_float(scalar)})
        expect(check::same_bits(wide, from_bits(expected << 16)), "%x%04x comes back as %g", high, low, wide);
    }
  }
}

// A matrix of operands, with NaN between its rows, and the values of its elements.
struct Matrix {
  int64_t rows, cols, ld;
  std::vector<Element> data;
  std::vector<float> values;

  Matrix(int64_t r, int64_t c, int64_t pad, std::uint64_t seed)
      : rows(r), cols(c), ld(c + pad), data(static_cast<size_t>(r * ld + 1)), values(static_cast<size_t>(r * c)) {
    Random random(seed);
    for (Element& e : data) isa::store_n(&e, isa::set1(kNaN), 1);
    for (int64_t i = 0; i < r * c; ++i) set(i / c, i % c, random.next());
  }
  void set(int64_t i, int64_t j, float value) {
    Element* e = &data[static_cast<size_t>(i * ld + j)];
    isa::store_n(e, isa::set1(value), 1);
    float wide[isa::kLanes];
    isa::store(wide, isa::load_n(e, 1));
    values[static_cast<size_t>(i * cols + j)] = wide[0];
  }
  float at(int64_t i, int64_t j) const { return values[static_cast<size_t>(i * cols + j)]; }
};

float rounded(float value) {
  Bf16 half;
  isa::assign(&half, value);
  return isa::to_float(half);
}

// Whether c is within the rounding of f32 sums of `count` products, relative to the sum of their magnitudes.
template <class F>
void expect_sum(float c, int64_t count, float before, F&& product, const char* what) {
  double sum = before, size = std::fabs(before) + 1e-30;
  for (int64_t i = 0; i < count; ++i) {
    sum += product(i);
    size += std::fabs(product(i));
  }
  expect(std::fabs(c - sum) <= 1e-6 * size, "%s of %lld products: %g, not %g", what, (long long)count, c, sum);
}

void test_gemm(int64_t rows, int64_t n, int64_t k, bool transposed, bool add) {
  const Matrix a(rows, k, 3, 1);
  std::vector<float> w(static_cast<size_t>(n * k)), c(static_cast<size_t>(rows * n), 0.5f);
  Random random(2);
  for (float& value : w) value = random.next();
  std::vector<Element> packed(static_cast<size_t>(isa::packed_weight_size<Element>(n, k)));
  isa::pack_weight(w.data(), n, k, transposed ? 1 : k, transposed ? n : 1, packed.data());
  isa::gemm_block(rows, n, k, a.data.data(), a.ld, packed.data(), c.data(), n, add);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < n; ++j)
      expect_sum(
          c[static_cast<size_t>(i * n + j)], k, add ? 0.5f : 0.0f,
          [&](int64_t x) {
            const int64_t at = transposed ? x * n + j : j * k + x;
            return static_cast<double>(a.at(i, x)) * rounded(w[static_cast<size_t>(at)]);
          },
          "gemm");
}

void test_tn(int64_t m, int64_t n, int64_t k, bool add) {
  const Matrix a(m, n, 3, 3), b(m, k, 1, 4);
  std::vector<float> c(static_cast<size_t>(n * k), 0.5f), sums(static_cast<size_t>(n), 0.5f);
  isa::gemm_tn_block(m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, c.data(), k, add);
  isa::col_sum_block(m, n, a.data.data(), a.ld, sums.data(), add);
  const float before = add ? 0.5f : 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    expect_sum(
        sums[static_cast<size_t>(i)], m, before, [&](int64_t x) { return a.at(x, i); }, "col_sum");
    for (int64_t j = 0; j < k; ++j)
      expect_sum(
          c[static_cast<size_t>(i * k + j)], m, before,
          [&](int64_t x) { return static_cast<double>(a.at(x, i)) * b.at(x, j); }, "gemm_tn");
  }
}

// The bits of a row do not depend on the split of rows into calls, hence not on the number of threads.
void test_splits() {
  const int64_t rows = 29, n = 70, k = 81;
  const Matrix a(rows, k, 1, 6), b(k, n, 1, 7);
  Random random(8);
  const std::vector<float> w = random.fill(n * k);
  std::vector<Element> packed(static_cast<size_t>(isa::packed_weight_size<Element>(n, k)));
  isa::pack_weight(w.data(), n, k, k, 1, packed.data());
  std::vector<float> whole(static_cast<size_t>(rows * n)), parts = whole, tn(static_cast<size_t>(n * n)), tn_parts = tn;
  isa::gemm_block(rows, n, k, a.data.data(), a.ld, packed.data(), whole.data(), n, false);
  for (int64_t i = 0, count = 1; i < rows; i += count, count = std::min(count + 3, rows - i))
    isa::gemm_block(count, n, k, a.data.data() + i * a.ld, a.ld, packed.data(), parts.data() + i * n, n, false);
  expect(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)) == 0, "gemm differs in parts");
  isa::gemm_tn_block(k, n, n, b.data.data(), b.ld, b.data.data(), b.ld, tn.data(), n, false);
  const int64_t starts[] = {0, 5, 40, n};
  for (int i = 0; i < 3; ++i)
    isa::gemm_tn_block_rows(k, n, n, b.data.data(), b.ld, b.data.data(), b.ld, tn_parts.data(), n, false, starts[i],
                            starts[i + 1]);
  expect(std::memcmp(tn.data(), tn_parts.data(), tn.size() * sizeof(float)) == 0, "gemm_tn differs in parts");
}

// NaN in a row of A affects only that row, also as the first element of a last, incomplete pair.
void test_nan_stays() {
  Matrix a(3, 5, 0, 5);
  a.set(1, 4, kNaN);
  std::vector<float> w(2 * 5, 1.0f), c(3 * 2);
  std::vector<Element> packed(static_cast<size_t>(isa::packed_weight_size<Element>(2, 5)));
  isa::pack_weight(w.data(), 2, 5, 5, 1, packed.data());
  isa::gemm_block(3, 2, 5, a.data.data(), 5, packed.data(), c.data(), 2, false);
  for (int i = 0; i < 6; ++i) expect((c[i] != c[i]) == (i / 2 == 1), "NaN of row 1 in row %d", i / 2);
}

}  // namespace

void test_bf16() {
  test_rounding();
  int turn = 0;
  for (int64_t n : {1, 7, 16, 17, 32, 40, 70})
    for (int64_t k : {1, 2, 3, 8, 27, 28, 81, 300}) {
      test_gemm(1 + turn * 11 % 33, n, k, turn & 1, turn & 2);
      test_tn(k, n, 1 + turn * 13 % 70, turn & 1);
      ++turn;
    }
  for (int64_t k : {511, 512, 513, 1001}) test_gemm(15, 98, k, k & 1, k & 2);
  for (int64_t m : {511, 513, 1001}) test_tn(m, 29, 84, m & 1);
  test_tn(200, 601, 70, true);
  test_splits();
  test_nan_stays();
}
