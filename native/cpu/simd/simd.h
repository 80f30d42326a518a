// Vectors of kLanes floats for the instruction set of this translation unit. Sources that include this header are
// compiled once per instruction set, named by MORPHMLP_ISA (baseline, avx2, avx512, avx512bf16, neon, neonbf16);
// everything is in the namespace of that name, so the linker keeps all copies.
//
// Contracts shared by all versions:
//  - load/store need no alignment; load_n/store_n access exactly n floats (0 < n <= kLanes);
//    load_n sets the other lanes to 0;
//  - fma(a, b, c) = a*b + c, rounded once if kHasFma (not in baseline);
//  - min(a, b) and max(a, b) return b if either is NaN, so pass the data as b to propagate NaN;
//  - hsum adds halves pairwise, always in the same order;
//  - load and store of Bf16 widen and round to nearest, ties to even; NaN stays NaN. AVX512-BF16 takes denormal floats
//    as 0.
//
// Where an instruction multiplies bf16, MORPHMLP_BF16_DOT is defined, and there are
//  - dot_pairs(pair, b, sum): sum[i] + even * b[2 i] + odd * b[2 i + 1] for the two bf16 numbers in the bits of a float
//    and the 2 kLanes of b. Denormal operands and results count as 0. AVX512-BF16 rounds to nearest after each product;
//    Arm rounds to odd after the sum of the products, which are exact, and after the last sum, where more than the
//    largest finite float becomes that float instead of infinity;
//  - pair_rows(even, odd, n): the pairs (even[i], odd[i]) of n <= kLanes elements, of which floats are rounded; odd may
//    be null, for zeros.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "ops/bf16.h"

#if defined(__x86_64__)
// GCC 12 warns about operands that its own header leaves undefined on purpose.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef MORPHMLP_ISA
#define MORPHMLP_ISA baseline
#endif

#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define MORPHMLP_BF16_DOT
#endif

#define MORPHMLP_INLINE inline __attribute__((always_inline))

// Instantiates a kernel for activations in f32 and in bf16.
#define FOR_FLOATS(kernel, P)                \
  template void kernel(const P##Of<float>&); \
  template void kernel(const P##Of<Bf16>&);

namespace morphmlp {
namespace MORPHMLP_ISA {

MORPHMLP_INLINE float to_float(float x) { return x; }
MORPHMLP_INLINE float to_float(Bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}
MORPHMLP_INLINE void assign(float* to, float x) { *to = x; }
MORPHMLP_INLINE void assign(Bf16* to, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  const uint32_t nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, nan = bits >> 16 | 0x40;
  to->bits = static_cast<uint16_t>(x == x ? nearest : nan);
}

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#elif defined(__x86_64__)
#include "simd_sse2.h"
#elif defined(__aarch64__)
#include "simd_neon.h"
#else
#error "morphmlp: no vector layer for this processor (x86-64 and aarch64 have one)"
#endif

#if !(defined(__AVX512F__) && defined(__AVX512DQ__))
MORPHMLP_INLINE V load_n(const Bf16* p, int n) {
  Bf16 all[kLanes] = {};
  for (int i = 0; i < n; ++i) all[i] = p[i];
  return load(all);
}
MORPHMLP_INLINE void store_n(Bf16* p, V v, int n) {
  Bf16 all[kLanes];
  store(all, v);
  for (int i = 0; i < n; ++i) p[i] = all[i];
}
#endif

// A GEMM operand in bf16 where no instruction multiplies bf16: a float that is rounded when it is stored.
struct Rounded {
  float value;
};
MORPHMLP_INLINE V load(const Rounded* p) { return load(&p->value); }
MORPHMLP_INLINE V load_n(const Rounded* p, int n) { return load_n(&p->value, n); }
MORPHMLP_INLINE void store(Rounded* p, V v) { store(&p->value, round_bf16(v)); }
MORPHMLP_INLINE void store_n(Rounded* p, V v, int n) { store_n(&p->value, round_bf16(v), n); }

// Element type of a GEMM operand for activations of type T.
template <class T>
using Operand = std::conditional_t<std::is_same_v<T, float>, float, std::conditional_t<kHasBf16Dot, Bf16, Rounded>>;

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
