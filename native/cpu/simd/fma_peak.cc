#include <chrono>

#include "cpu/gemm/gemm_tile.h"

namespace morphmlp {
namespace MORPHMLP_ISA {
namespace {

// Enough independent chains to hide the latency, on Arm of four units. Without FMA, half are products and half are
// sums.
#if defined(__aarch64__)
constexpr int kChains = 24;
#else
constexpr int kChains = 12;
#endif
constexpr std::int64_t kRounds = 20000;

template <class E>
MORPHMLP_INLINE void peak_step(V (&x)[kChains], float scale, V shift) {
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) {
    if constexpr (std::is_same_v<E, Bf16>) {
      x[i] = Step<Bf16>::run(scale, shift, x[i]);
    } else if (kHasFma) {
      x[i] = fma(x[i], set1(scale), shift);
    } else {
      x[i] = i % 2 ? mul(x[i], set1(scale)) : add(x[i], shift);
    }
  }
}

template <class E>
float peak_round(float scale, float shift) {
  V x[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) x[i] = set1(static_cast<float>(i));
  const V t = set1(shift);
  for (std::int64_t round = 0; round < kRounds; ++round) {
    peak_step<E>(x, scale, t);
    peak_step<E>(x, scale, t);
  }
  V total = x[0];
  for (int i = 1; i < kChains; ++i) total = add(total, x[i]);
  return hsum(total);
}

template <class E>
double peak(double seconds) {
  using Clock = std::chrono::steady_clock;
  const double flops = static_cast<double>(kRounds) * 2 * kChains * kLanes * (kHasFma ? 2 : 1) * kTogether<E>;
  volatile float sink = 0.0f;
  double best = 0.0, spent = 0.0;
  while (spent < seconds) {
    const auto start = Clock::now();
    sink = sink + peak_round<E>(0.999f, 0.001f);
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    spent += elapsed;
    if (flops / elapsed > best) best = flops / elapsed;
  }
  return best * 1e-9;
}

}  // namespace

double fma_peak(double seconds) { return peak<float>(seconds); }

double bf16_peak(double seconds) { return peak<TileElement<Operand<Bf16>>>(seconds); }

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
