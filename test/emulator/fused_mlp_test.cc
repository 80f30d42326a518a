// The fused MLP of bf16 tokens against the same in double, ragged in rows, channels and hidden numbers; the GELU that
// it takes against erfc; and a copy that nobody waits for, which the emulation must show.
#include "cuda/ops/fused_mlp.h"
#include "test/emulator/close.h"

namespace morphmlp::cuda {

namespace {

double exact_gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

// Of itself, also far out, where little is left, up to where numbers of full precision end. There the rounding of the
// exponent is most of it.
double worst_gelu() {
  double worst =
      std::abs(gelu_for_bf16(0.0f)) + std::abs(gelu_for_bf16(-1e30f)) + std::abs(gelu_for_bf16(1e30f) / 1e30 - 1);
  for (float x = -12.9f; x < 20; x += 0.001f)
    if (const double exact = exact_gelu(x); exact != 0) worst = worse(worst, gelu_for_bf16(x) / exact - 1);
  return worst;
}

// Against the largest slope.
double worst_slope() {
  double worst = std::abs(gelu_slope_for_bf16(-1e18f)) + std::abs(gelu_slope_for_bf16(1e18f) - 1);
  for (double x = -20; x < 20; x += 0.001) {
    const float at = static_cast<float>(x);
    const double bell = std::exp(-0.5 * at * at) / std::sqrt(2 * M_PI);
    worst = worse(worst, gelu_slope_for_bf16(at) - (0.5 * std::erfc(-at / std::sqrt(2.0)) + at * bell));
  }
  return worst;
}

bool keeps_nan() { return std::isnan(gelu_for_bf16(NAN)) && std::isnan(gelu_slope_for_bf16(NAN)); }

struct Mlp {
  Mlp(int64_t rows, int64_t c, int64_t h)
      : at{rows, c, h, rows},
        x(rounded(numbers(rows * c, 1, 1, 0.3))),
        y(rounded(numbers(rows * c, 1, NAN))),
        z(rounded(numbers(rows * h, 1, NAN))),
        gamma(numbers(c, 2, 0.2, 1)),
        beta(numbers(c, 3, 0.1)),
        w1(numbers(h * c, 4, std::sqrt(3.0 / c))),
        b1(numbers(h, 5, 0.1)),
        w2(numbers(c * h, 6, std::sqrt(3.0 / h))),
        b2(numbers(c, 7, 0.1)),
        scale(1, 1.25f),
        mean(rows, NAN),
        rstd(rows, NAN) {}

  // Whether there is a kernel.
  bool run(bool keep) {
    return fused_mlp({at, 1e-5f, x.data(), gamma.data(), beta.data(), nullptr, b1.data(), nullptr, b2.data(),
                      scale.data(), y.data(), mean.data(), rstd.data(), keep ? z.data() : nullptr},
                     w1.data(), w2.data());
  }

  // The largest error of all results, in parts of the largest number that each has.
  double worst(bool keep) const {
    double worst = 0;
    for (int64_t row = 0; row < at.rows; ++row) worst = worse(worst, worst_of(row, keep));
    return worst;
  }

  NormMlpShape at;
  std::vector<Bf16> x, y, z;
  std::vector<float> gamma, beta, w1, b1, w2, b2, scale, mean, rstd;

 private:
  double worst_of(int64_t row, bool keep) const {
    const int64_t c = at.channels, h = at.hidden;
    const Bf16* from = &x[row * c];
    double m = 0, squares = 0;
    for (int64_t i = 0; i < c; ++i) m += load(from + i) / static_cast<double>(c);
    for (int64_t i = 0; i < c; ++i) squares += std::pow(load(from + i) - m, 2) / static_cast<double>(c);
    const double r = 1 / std::sqrt(squares + 1e-5);
    std::vector<double> normed(c), hidden(h);
    for (int64_t i = 0; i < c; ++i) normed[i] = (load(from + i) - m) * r * gamma[i] + beta[i];
    const std::vector<double> pre = fc(normed, w1, b1);
    for (int64_t j = 0; j < h; ++j) hidden[j] = exact_gelu(pre[j]);
    std::vector<double> out = fc(hidden, w2, b2);
    for (int64_t i = 0; i < c; ++i) out[i] = load(from + i) + scale[0] * out[i];
    const double statistics = worse(mean[row] - m, rstd[row] / r - 1);
    return worse(worse(share_off(&y[row * c], out), keep ? share_off(&z[row * h], pre) : 0), statistics);
  }
};

double mlp(int64_t rows, int64_t c, int64_t h, bool keep) {
  Mlp m(rows, c, h);
  return m.run(keep) ? m.worst(keep) : INFINITY;
}

// y = x by way of shared memory.
template <bool kWait>
struct Through {
  static constexpr int kThreads = 32;
  struct alignas(16) Shared {
    float x[4 * kThreads];
  };
  const float* x;
  float* y;

  __device__ void operator()(Shared& s) const {
    const int i = 4 * static_cast<int>(threadIdx.x);
    copy_async(s.x + i, x + i);
    end_copy_group();
    if (kWait) wait_for_copies<0>();
    __syncthreads();
    for (int j = 0; j < 4; ++j) y[i + j] = s.x[127 - i - j];
  }
};

template <bool kWait>
bool copied() {
  const std::vector<float> x = numbers(128, 9, 1);
  std::vector<float> y(128);
  launch({1}, Through<kWait>{x.data(), y.data()});
  for (int i = 0; i < 128; ++i)
    if (y[i] != x[127 - i]) return false;
  return true;
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = check("gelu_for_bf16", worst_gelu(), 2e-5);
  right = check("its slope", worst_slope(), 3e-6) && right;
  right = check("both of NaN", keeps_nan() ? 0 : 1, 0) && right;
  right = check("an asynchronous copy", copied<true>() ? 0 : 1, 0) && right;
  right = check("a forgotten wait is seen", copied<false>() ? 1 : 0, 0) && right;
  right = check("a fused MLP, training", mlp(131, 12, 100, true), 0.012) && right;
  right = check("a fused MLP of width 112", mlp(17, 112, 152, false), 0.012) && right;
  return right ? 0 : 1;
}
