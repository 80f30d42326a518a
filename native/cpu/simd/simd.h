// A vector of kLanes floats for the instruction set this translation unit is compiled for. Sources that include this
// header are compiled once per instruction set, with MORPHMLP_ISA naming it (baseline, avx2, avx512, neon); everything
// lives in that namespace, so the copies never meet at link time.
//
// Contracts shared by all four versions:
//  - load/store need no alignment; load_n/store_n touch exactly n floats (0 < n <= kLanes), load_n gives 0 elsewhere;
//  - fma(a, b, c) = a*b + c, rounded once where the hardware can (not in baseline: kHasFma says which);
//  - min(a, b) and max(a, b) give b where either is NaN, so put the data second to let NaN through;
//  - hsum adds halves pairwise, always in the same order.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
// GCC 12's own header warns about the undefined operands it passes on purpose.
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

#define MORPHMLP_INLINE inline __attribute__((always_inline))

namespace morphmlp {
namespace MORPHMLP_ISA {

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

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
