// Accuracy of the vector math against the double-precision library, sampled over the whole float range.
#include "vmath.h"

#include <limits>

#include "check.h"

using check::expect;
namespace isa = morphmlp::MORPHMLP_ISA;

void test_vmath();

namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

template <class F>
float one(F f, float x) {
  float out[isa::kLanes];
  isa::store(out, f(isa::set1(x)));
  return out[isa::kLanes - 1];
}

// The spacing of floats at x.
double ulp(double x) {
  const double a = std::fabs(x);
  if (a < 0x1p-126) return 0x1p-149;
  return std::ldexp(1.0, std::ilogb(a) - 23);
}

// Visits every `step`-th float of both signs by its bits, so equally many per binade.
template <class Check>
void sweep(std::uint32_t step, float limit, Check visit) {
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += step) {
    float x;
    std::memcpy(&x, &bits, 4);
    if (x > limit) break;
    visit(x);
    visit(-x);
  }
}

template <class F, class Reference>
void check_ulps(const char* name, F f, Reference reference, double allowed, float limit) {
  double worst = 0.0;
  float where = 0.0f;
  sweep(9973, limit, [&](float x) {
    const double want = reference(static_cast<double>(x));
    if (want > std::numeric_limits<float>::max()) return;
    const double error = std::fabs(one(f, x) - want) / ulp(want);
    if (!(error <= worst)) worst = error, where = x;
  });
  std::printf("%s %s: %.2f ulp at %.9g\n", isa::kIsaName, name, worst, where);
  expect(worst <= allowed, "%s: %g ulp at %.9g", name, worst, where);
  expect(std::isnan(one(f, kNan)), "%s(NaN) is not NaN", name);
}

double gelu_reference(double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }

double gelu_grad_reference(double x) {
  return 0.5 * std::erfc(-x * std::sqrt(0.5)) + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::acos(-1.0));
}

// Maximum error relative to max(|reference|, floor).
template <class F, class Reference>
void check_relative(const char* name, F f, Reference reference, float low, float high, double floor, double allowed) {
  double worst = 0.0;
  float where = 0.0f;
  for (int i = 0; i <= 2000000; ++i) {
    const float x = low + (high - low) * static_cast<float>(i) / 2000000.0f;
    const double want = reference(static_cast<double>(x));
    const double error = std::fabs(one(f, x) - want) / std::fmax(std::fabs(want), floor);
    if (!(error <= worst)) worst = error, where = x;
  }
  std::printf("%s %s on [%g, %g]: %.3g of max(|y|, %g) at %.9g\n", isa::kIsaName, name, low, high, worst, floor, where);
  expect(worst <= allowed, "%s: error %g at %.9g", name, worst, where);
}

isa::V grad_of_both(isa::V x) {
  isa::V y, dy;
  isa::gelu_with_grad(x, &y, &dy);
  return dy;
}

isa::V value_of_both(isa::V x) {
  isa::V y, dy;
  isa::gelu_with_grad(x, &y, &dy);
  return y;
}

void test_gelu() {
  const auto f = [](isa::V x) { return isa::gelu(x); };
  const auto g = [](isa::V x) { return isa::gelu_grad(x); };
  check_relative("gelu", f, gelu_reference, -1.0f, 0.0f, 1e-30, 4e-7);
  check_relative("gelu", f, gelu_reference, -3.0f, -1.0f, 1e-30, 1.3e-6);
  check_relative("gelu", f, gelu_reference, -6.5f, -3.0f, 1e-30, 1e-5);
  check_relative("gelu", f, gelu_reference, 0.0f, 8.0f, 1e-30, 2.3e-7);
  check_relative("gelu", f, gelu_reference, -20.0f, 20.0f, 1.0, 1.2e-7);
  check_relative("gelu_grad", g, gelu_grad_reference, -20.0f, 20.0f, 1.0, 2.5e-7);
  sweep(99991, 1e30f, [&](float x) {
    expect(check::same_bits(one(f, x), one(value_of_both, x)), "gelu and gelu_with_grad differ at %g", x);
    expect(check::same_bits(one(g, x), one(grad_of_both, x)), "gelu_grad and gelu_with_grad differ at %g", x);
    if (std::fabs(x) < 1e-5f) expect(std::fabs(one(f, x) - gelu_reference(x)) <= 1.5 * ulp(x), "gelu at %g", x);
  });
  expect(one(f, kInf) == kInf && one(g, kInf) == 1.0f, "gelu at infinity");
  expect(std::fabs(one(f, -kInf)) < 1e-9f && std::fabs(one(g, -kInf)) < 1e-8f, "gelu at -infinity");
  expect(std::isnan(one(f, kNan)) && std::isnan(one(g, kNan)), "gelu(NaN) is not NaN");
}

void test_tails() {
  for (int n = 1; n <= isa::kLanes; ++n) {
    std::vector<float> in(static_cast<std::size_t>(n)), out(static_cast<std::size_t>(n) + 1, 7.0f);
    for (int i = 0; i < n; ++i) in[static_cast<std::size_t>(i)] = static_cast<float>(i + 1);
    const isa::V v = isa::load_n(in.data(), n);
    isa::store_n(out.data(), v, n);
    expect(std::memcmp(out.data(), in.data(), in.size() * 4) == 0 && out.back() == 7.0f, "store_n(%d)", n);
    expect(isa::hsum(v) == static_cast<float>(n * (n + 1) / 2), "load_n(%d) or hsum", n);
  }
  expect(std::isnan(one([](isa::V x) { return isa::max(isa::zero(), x); }, kNan)), "max(0, NaN) is not NaN");
  expect(one([](isa::V x) { return isa::min(x, isa::set1(3.0f)); }, kNan) == 3.0f, "min(NaN, 3) is not 3");
}

}  // namespace

void test_vmath() {
  check_ulps(
      "exp", [](isa::V x) { return isa::exp(x); }, [](double x) { return std::exp(x); }, 1.5, 120.0f);
  check_ulps(
      "erf", [](isa::V x) { return isa::erf(x); }, [](double x) { return std::erf(x); }, 2.0, 1e38f);
  check_ulps(
      "tanh", [](isa::V x) { return isa::tanh(x); }, [](double x) { return std::tanh(x); }, 2.0, 1e38f);
  const auto exp_of = [](isa::V x) { return isa::exp(x); };
  expect(one(exp_of, kInf) == kInf && one(exp_of, 89.0f) == kInf && one(exp_of, -kInf) == 0.0f, "exp at its ends");
  test_gelu();
  test_tails();
}
