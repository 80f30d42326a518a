// Vectors of kLanes floats for the instruction set of this translation unit. Sources that include this header are
// compiled once per instruction set, named by MORPHMLP_ISA (baseline, avx2, avx512, neon); everything is in the
// namespace of that name, so the linker keeps all copies.
//
// Contracts shared by all four versions:
//  - load/store need no alignment; load_n/store_n access exactly n floats (0 < n <= kLanes);
//    load_n sets the other lanes to 0;
//  - fma(a, b, c) = a*b + c, rounded once if kHasFma (not in baseline);
//  - min(a, b) and max(a, b) return b if either is NaN, so pass the data as b to propagate NaN;
//  - hsum adds halves pairwise, always in the same order.
#pragma once

#include <cstdint>

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
