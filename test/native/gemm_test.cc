// Tests of the GEMM core for one instruction set. See gemm_test.sh.
#include "gemm.h"

#include <cstdlib>
#include <limits>

#include "check.h"

using check::expect;
using check::Random;
using std::int64_t;
namespace isa = morphmlp::MORPHMLP_ISA;

int gemm_bench(double seconds);
void test_vmath();
void test_bf16();

namespace {

constexpr float kGuard = 12345.678f;                            // must not be overwritten
const float kPoison = std::numeric_limits<float>::quiet_NaN();  // must not be read

// A rows x cols matrix with leading dimension ld; all other elements are `around`.
struct Matrix {
  int64_t rows, cols, ld;
  std::vector<float> data;

  Matrix(int64_t r, int64_t c, int64_t pad, float around, std::uint64_t seed)
      : rows(r), cols(c), ld(c + pad), data(static_cast<std::size_t>(r * (c + pad) + pad + 1), around) {
    Random random(seed);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) at(i, j) = random.next();
    }
  }
  float& at(int64_t i, int64_t j) { return data[static_cast<std::size_t>(i * ld + j)]; }
  const float& at(int64_t i, int64_t j) const { return data[static_cast<std::size_t>(i * ld + j)]; }
  bool guards_hold() const {
    for (std::size_t i = 0; i < data.size(); ++i) {
      const int64_t row = static_cast<int64_t>(i) / ld, col = static_cast<int64_t>(i) % ld;
      if ((row >= rows || col >= cols) && !check::same_bits(data[i], kGuard)) return false;
    }
    return true;
  }
};

// Packed weights followed by a guard value.
std::vector<float> pack(const Matrix& w, bool transposed) {
  const int64_t n = transposed ? w.cols : w.rows, k = transposed ? w.rows : w.cols;
  const int64_t size = isa::packed_weight_size(n, k);
  std::vector<float> out(static_cast<std::size_t>(size + 1), kGuard);
  isa::pack_weight(w.data.data(), n, k, transposed ? 1 : w.ld, transposed ? w.ld : 1, out.data());
  expect(check::same_bits(out[static_cast<std::size_t>(size)], kGuard), "pack %lld x %lld overran", (long long)n,
         (long long)k);
  return out;
}

// Maximum error of c against sums in double, relative to the sum of magnitudes.
double gemm_error(const Matrix& a, const Matrix& w, bool transposed, const Matrix& before, const Matrix& c, bool acc) {
  double worst = 0.0;
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) {
      double sum = acc ? before.at(i, j) : 0.0, size = std::fabs(sum) + 1e-30;
      for (int64_t k = 0; k < a.cols; ++k) {
        const double p = static_cast<double>(a.at(i, k)) * (transposed ? w.at(k, j) : w.at(j, k));
        sum += p;
        size += std::fabs(p);
      }
      const double error = std::fabs(c.at(i, j) - sum) / size;
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

void test_one_gemm(int64_t rows, int64_t n, int64_t k, bool transposed, bool acc) {
  const Matrix a(rows, k, 3, kPoison, 1), w(transposed ? k : n, transposed ? n : k, 5, kPoison, 2);
  Matrix c(rows, n, 2, kGuard, 3);
  const Matrix before = c;
  const std::vector<float> packed = pack(w, transposed);
  isa::gemm_block(rows, n, k, a.data.data(), a.ld, packed.data(), c.data.data(), c.ld, acc);
  const double error = gemm_error(a, w, transposed, before, c, acc);
  expect(error < 1e-6, "gemm %lld x %lld x %lld: error %g", (long long)rows, (long long)n, (long long)k, error);
  expect(c.guards_hold(), "gemm %lld x %lld x %lld wrote outside C", (long long)rows, (long long)n, (long long)k);
}

void test_gemm() {
  int turn = 0;
  for (int64_t n = 1; n <= 70; ++n) {
    for (int64_t k = 1; k <= 70; k += (n % 7 == 0 ? 1 : 5)) {
      const int64_t rows = 1 + (turn * 11) % 33;
      test_one_gemm(rows, n, k, turn & 1, turn & 2);
      ++turn;
    }
  }
  for (int64_t k : {255, 256, 257, 512, 784, 1000}) test_one_gemm(15, 98, k, k & 1, k & 2);
}

// The bits do not depend on how rows and panels are split into calls.
void test_splits() {
  for (int64_t k : {28, 300, 1176}) {
    const int64_t rows = 61, n = 84 + k % 5;
    const Matrix a(rows, k, 1, kPoison, 4), w(n, k, 0, kPoison, 5);
    const std::vector<float> packed = pack(w, false);
    Matrix whole(rows, n, 1, kGuard, 6);
    isa::gemm_block(rows, n, k, a.data.data(), a.ld, packed.data(), whole.data.data(), whole.ld, true);
    for (int64_t step = 1; step <= rows; ++step) {
      Matrix parts(rows, n, 1, kGuard, 6);
      for (int64_t r = 0; r < rows; r += step) {
        const int64_t count = r + step < rows ? step : rows - r;
        for (int64_t panel = isa::panel_count(n); panel-- > 0;) {
          isa::gemm_block_panels(count, n, k, &a.at(r, 0), a.ld, packed.data(), &parts.at(r, 0), parts.ld, true, panel,
                                 panel + 1);
        }
      }
      expect(std::memcmp(parts.data.data(), whole.data.data(), whole.data.size() * 4) == 0,
             "gemm k %lld: other bits in calls of %lld rows", (long long)k, (long long)step);
    }
  }
}

// NaN and infinity in a row of A or a weight affect only that row or column.
void test_nan_stays() {
  const int64_t rows = 23, n = 41, k = 37;
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Matrix a(rows, k, 0, 0.0f, 7), w(n, k, 0, 0.0f, 8), c(rows, n, 0, 0.0f, 9);
    a.at(5, 36) = bad;
    w.at(40, 0) = bad;
    const std::vector<float> packed = pack(w, false);
    isa::gemm_block(rows, n, k, a.data.data(), a.ld, packed.data(), c.data.data(), c.ld, false);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const bool touched = i == 5 || j == 40;
        expect(std::isfinite(c.at(i, j)) != touched, "gemm: %g at (5, 36) gives %g at (%lld, %lld)", bad, c.at(i, j),
               (long long)i, (long long)j);
      }
    }
  }
}

// Reference implementation of the packed layout, with zero padding.
std::vector<float> packed_by_hand(const Matrix& w) {
  const int64_t n = w.rows, k = w.cols, padded = isa::packed_weight_size(n, k) / k;
  std::vector<float> out(static_cast<std::size_t>(padded * k + 1), kGuard);
  for (int64_t j = 0; j < padded; ++j) {
    const int64_t start = j / isa::kPanel * isa::kPanel;
    const int64_t width = padded - start < isa::kPanel ? isa::kLanes : isa::kPanel;
    for (int64_t kk = 0; kk < k; ++kk) {
      out[static_cast<std::size_t>(start * k + kk * width + j - start)] = j < n ? w.at(j, kk) : 0.0f;
    }
  }
  return out;
}

void test_pack() {
  for (int64_t n : {1, 4, 15, 16, 17, 33, 47, 48, 70}) {
    for (int64_t k : {1, 3, 4, 9, 28}) {
      const Matrix w(n, k, 2, kPoison, 10);
      Matrix transposed_w(k, n, 3, kPoison, 10);
      for (int64_t i = 0; i < n * k; ++i) transposed_w.at(i % k, i / k) = w.at(i / k, i % k);
      const std::vector<float> whole = packed_by_hand(w);
      expect(pack(w, false) == whole, "pack %lld x %lld: wrong layout", (long long)n, (long long)k);
      expect(pack(transposed_w, true) == whole, "pack %lld x %lld: wrong layout, transposed", (long long)n,
             (long long)k);
      std::vector<float> parts(whole.size(), kGuard), wide(static_cast<std::size_t>(n * k * 6), kPoison),
          any(whole.size(), kGuard);
      for (int64_t p = isa::panel_count(n); p-- > 0;) {
        isa::pack_panels(w.data.data(), n, k, w.ld, 1, parts.data(), p, p + 1);
      }
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t kk = 0; kk < k; ++kk) wide[static_cast<std::size_t>((j * k + kk) * 2)] = w.at(j, kk);
      }
      isa::pack_weight(wide.data(), n, k, 2 * k, 2, any.data());
      expect(parts == whole, "pack %lld x %lld: panels differ from the whole", (long long)n, (long long)k);
      expect(any == whole, "pack %lld x %lld: strided differs", (long long)n, (long long)k);
    }
  }
}

double tn_error(const Matrix& a, const Matrix& b, const Matrix& before, const Matrix& c, bool acc) {
  double worst = 0.0;
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) {
      double sum = acc ? before.at(i, j) : 0.0, size = std::fabs(sum) + 1e-30;
      for (int64_t m = 0; m < a.rows; ++m) {
        const double p = static_cast<double>(a.at(m, i)) * b.at(m, j);
        sum += p;
        size += std::fabs(p);
      }
      const double error = std::fabs(c.at(i, j) - sum) / size;
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

void test_one_tn(int64_t m, int64_t n, int64_t k, bool acc) {
  const Matrix a(m, n, 3, kPoison, 11), b(m, k, 4, kPoison, 12);
  Matrix c(n, k, 2, kGuard, 13);
  const Matrix before = c;
  isa::gemm_tn_block(m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, c.data.data(), c.ld, acc);
  const double error = tn_error(a, b, before, c, acc);
  expect(error < 1e-6, "gemm_tn %lld x %lld x %lld: error %g", (long long)m, (long long)n, (long long)k, error);
  expect(c.guards_hold(), "gemm_tn %lld x %lld x %lld wrote outside C", (long long)m, (long long)n, (long long)k);
  Matrix parts = before;
  for (int64_t row = n; row > 0; row -= 5) {
    isa::gemm_tn_block_rows(m, n, k, a.data.data(), a.ld, b.data.data(), b.ld, parts.data.data(), parts.ld, acc,
                            row > 5 ? row - 5 : 0, row);
  }
  expect(std::memcmp(parts.data.data(), c.data.data(), c.data.size() * 4) == 0,
         "gemm_tn %lld x %lld x %lld: other bits in parts", (long long)m, (long long)n, (long long)k);
}

void test_tn() {
  int turn = 0;
  for (int64_t n = 1; n <= 70; n += 3) {
    for (int64_t k = 1; k <= 70; k += 2) {
      test_one_tn(1 + (turn * 7) % 40, n, k, turn & 1);
      ++turn;
    }
  }
  for (int64_t m : {255, 256, 257, 300, 700}) test_one_tn(m, 29, 84, m & 1);
  test_one_tn(200, 601, 530, true);  // several groups, with packed A if the instruction set packs
}

void test_col_sum() {
  for (int64_t n : {1, 3, 16, 33, 84, 98}) {
    for (int64_t m : {1, 31, 32, 33, 100}) {
      const Matrix a(m, n, 3, kPoison, 14);
      std::vector<float> out(static_cast<std::size_t>(n + 1), kGuard);
      isa::col_sum_block(m, n, a.data.data(), a.ld, out.data(), false);
      isa::col_sum_block(m, n, a.data.data(), a.ld, out.data(), true);
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (int64_t i = 0; i < m; ++i) sum += 2.0 * a.at(i, j);
        expect(std::fabs(out[static_cast<std::size_t>(j)] - sum) < 2e-6 * m, "col_sum %lld x %lld", (long long)m,
               (long long)n);
      }
      expect(check::same_bits(out[static_cast<std::size_t>(n)], kGuard), "col_sum overran at n = %lld", (long long)n);
    }
  }
}

void test_empty() {
  std::vector<float> a(64, 1.0f), c(64, 7.0f);
  isa::gemm_block(2, 3, 0, a.data(), 3, a.data(), c.data(), 4, true);
  isa::gemm_block(0, 3, 3, a.data(), 3, a.data(), c.data(), 4, false);
  isa::gemm_tn_block(3, 0, 3, a.data(), 3, a.data(), 3, c.data(), 3, false);
  for (float x : c) expect(x == 7.0f, "an empty GEMM changed C");
  isa::gemm_block(2, 3, 0, a.data(), 3, a.data(), c.data(), 4, false);
  expect(c[0] == 0.0f && c[6] == 0.0f && c[3] == 7.0f && c[7] == 7.0f, "GEMM with k = 0 is not 0");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "bench") == 0) return gemm_bench(argc > 2 ? std::atof(argv[2]) : 0.3);
  test_pack();
  test_gemm();
  test_splits();
  test_nan_stays();
  test_tn();
  test_col_sum();
  test_empty();
  test_vmath();
  test_bf16();
  std::printf("%s: %s\n", isa::kIsaName, check::failures() ? "FAILED" : "ok");
  return check::failures() ? 1 : 0;
}
