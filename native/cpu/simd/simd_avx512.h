// AVX-512 (F, BW, VL and DQ), with or without AVX512-BF16: 16 lanes. Included by simd.h, inside its namespace.
constexpr int kLanes = 16;
constexpr bool kHasFma = true;
#ifdef __AVX512BF16__
constexpr bool kHasBf16Dot = true;
constexpr const char* kIsaName = "avx512bf16";
#else
constexpr bool kHasBf16Dot = false;
constexpr const char* kIsaName = "avx512";
#endif
using V = __m512;
using Mask = __mmask16;

MORPHMLP_INLINE Mask first_lanes(int n) { return static_cast<Mask>((1u << n) - 1u); }
MORPHMLP_INLINE V zero() { return _mm512_setzero_ps(); }
MORPHMLP_INLINE V set1(float x) { return _mm512_set1_ps(x); }
MORPHMLP_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
MORPHMLP_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
MORPHMLP_INLINE V load_n(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
MORPHMLP_INLINE void store_n(float* p, V v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }

MORPHMLP_INLINE V widen(__m256i half) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
MORPHMLP_INLINE V load(const Bf16* p) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
MORPHMLP_INLINE V load_n(const Bf16* p, int n) { return widen(_mm256_maskz_loadu_epi16(first_lanes(n), p)); }
#ifdef __AVX512BF16__
MORPHMLP_INLINE __m256i narrow(V v) { return (__m256i)_mm512_cvtneps_pbh(v); }
MORPHMLP_INLINE V round_bf16(V v) { return widen(narrow(v)); }
MORPHMLP_INLINE V dot_pairs(float pair, V b, V sum) { return _mm512_dpbf16_ps(sum, (__m512bh)set1(pair), (__m512bh)b); }
MORPHMLP_INLINE V pair_rows(const Bf16* even, const Bf16* odd, int n) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), even));
  if (!odd) return _mm512_castsi512_ps(low);
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), odd));
  return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
MORPHMLP_INLINE V pair_rows(const float* even, const float* odd, int n) {
  const __m512i low = _mm512_cvtepu16_epi32(narrow(load_n(even, n)));
  if (!odd) return _mm512_castsi512_ps(low);
  return _mm512_castsi512_ps(
      _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow(load_n(odd, n))), 16)));
}
#else
MORPHMLP_INLINE __m512i round_bits(V v) {
  const __m512i bits = _mm512_castps_si512(v),
                odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i nearest = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  return _mm512_mask_or_epi32(nearest, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
}
MORPHMLP_INLINE __m256i narrow(V v) { return _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_bits(v), 16)); }
MORPHMLP_INLINE V round_bf16(V v) {
  return _mm512_castsi512_ps(_mm512_andnot_si512(_mm512_set1_epi32(0xFFFF), round_bits(v)));
}
#endif
MORPHMLP_INLINE void store(Bf16* p, V v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow(v)); }
MORPHMLP_INLINE void store_n(Bf16* p, V v, int n) { _mm256_mask_storeu_epi16(p, first_lanes(n), narrow(v)); }

MORPHMLP_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
MORPHMLP_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
MORPHMLP_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
MORPHMLP_INLINE V div(V a, V b) { return _mm512_div_ps(a, b); }
MORPHMLP_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
MORPHMLP_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
MORPHMLP_INLINE V sqrt(V a) { return _mm512_sqrt_ps(a); }
MORPHMLP_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
MORPHMLP_INLINE V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
MORPHMLP_INLINE V abs(V a) { return _mm512_andnot_ps(set1(-0.0f), a); }
MORPHMLP_INLINE V copysign(V magnitude, V sign) {
  return _mm512_or_ps(abs(magnitude), _mm512_and_ps(set1(-0.0f), sign));
}
MORPHMLP_INLINE Mask less(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
MORPHMLP_INLINE V select(Mask m, V yes, V no) { return _mm512_mask_blend_ps(m, no, yes); }
MORPHMLP_INLINE V round_even(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// a * 2^n for integral n in [-252, 254], with denormal results.
MORPHMLP_INLINE V scale_pow2(V a, V n) { return _mm512_scalef_ps(a, n); }
// scale_pow2 for a * 2^n in the normal range.
MORPHMLP_INLINE V scale_pow2_normal(V a, V n) { return _mm512_scalef_ps(a, n); }

MORPHMLP_INLINE float hsum(V v) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}

// Loads four floats from each of kLanes/4 rows, `step` floats apart: the input of a 4 x 4 transposition.
MORPHMLP_INLINE V load_quads(const float* p, std::int64_t step) {
  const __m256 lo = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
  const __m256 hi =
      _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 2 * step)), _mm_loadu_ps(p + 3 * step), 1);
  return _mm512_insertf32x8(_mm512_castps256_ps512(lo), hi, 1);
}
MORPHMLP_INLINE V unpack_lo(V a, V b) { return _mm512_unpacklo_ps(a, b); }
MORPHMLP_INLINE V unpack_hi(V a, V b) { return _mm512_unpackhi_ps(a, b); }
MORPHMLP_INLINE V pairs_lo(V a, V b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
MORPHMLP_INLINE V pairs_hi(V a, V b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
