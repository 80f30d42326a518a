// AVX2 with FMA: 8 lanes. Included by simd.h, inside its namespace.
constexpr int kLanes = 8;
constexpr bool kHasFma = true, kHasBf16Dot = false;
constexpr const char* kIsaName = "avx2";
using V = __m256;
using Mask = __m256;

MORPHMLP_INLINE V zero() { return _mm256_setzero_ps(); }
MORPHMLP_INLINE V set1(float x) { return _mm256_set1_ps(x); }
MORPHMLP_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
MORPHMLP_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
MORPHMLP_INLINE __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MORPHMLP_INLINE V load_n(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
// In powers of two: 256-bit masked stores are microcoded (tens of µops) on AMD processors.
MORPHMLP_INLINE void store_n(float* p, V v, int n) {
  if (n == 8) return store(p, v);
  __m128 rest = _mm256_castps256_ps128(v);
  if (n & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, rest);
}

MORPHMLP_INLINE V load(const Bf16* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
MORPHMLP_INLINE __m256i round_bits(V v) {
  const __m256i bits = _mm256_castps_si256(v),
                odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const __m256i nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_blendv_epi8(nearest, nan, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}
MORPHMLP_INLINE V round_bf16(V v) {
  return _mm256_castsi256_ps(_mm256_andnot_si256(_mm256_set1_epi32(0xFFFF), round_bits(v)));
}
MORPHMLP_INLINE void store(Bf16* p, V v) {
  const __m256i half = _mm256_srai_epi32(round_bits(v), 16);
  const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}

MORPHMLP_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
MORPHMLP_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
MORPHMLP_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
MORPHMLP_INLINE V div(V a, V b) { return _mm256_div_ps(a, b); }
MORPHMLP_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
MORPHMLP_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
MORPHMLP_INLINE V sqrt(V a) { return _mm256_sqrt_ps(a); }
MORPHMLP_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
MORPHMLP_INLINE V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
MORPHMLP_INLINE V abs(V a) { return _mm256_andnot_ps(set1(-0.0f), a); }
MORPHMLP_INLINE V copysign(V magnitude, V sign) {
  return _mm256_or_ps(abs(magnitude), _mm256_and_ps(set1(-0.0f), sign));
}
MORPHMLP_INLINE Mask less(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
MORPHMLP_INLINE V select(Mask m, V yes, V no) { return _mm256_blendv_ps(no, yes, m); }
MORPHMLP_INLINE V round_even(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
MORPHMLP_INLINE V pow2(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
// a * 2^n for integral n in [-252, 254], in two steps, since 2^n may be out of range.
MORPHMLP_INLINE V scale_pow2(V a, V n) {
  const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
  return mul(mul(a, pow2(half)), pow2(_mm256_sub_epi32(whole, half)));
}
// scale_pow2 for a and a * 2^n in the normal range (or NaN): adds n to the exponent.
MORPHMLP_INLINE V scale_pow2_normal(V a, V n) {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}

MORPHMLP_INLINE float hsum(V v) {
  const __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}

// Loads four floats from each of kLanes/4 rows, `step` floats apart: the input of a 4 x 4 transposition.
MORPHMLP_INLINE V load_quads(const float* p, std::int64_t step) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
}
MORPHMLP_INLINE V unpack_lo(V a, V b) { return _mm256_unpacklo_ps(a, b); }
MORPHMLP_INLINE V unpack_hi(V a, V b) { return _mm256_unpackhi_ps(a, b); }
MORPHMLP_INLINE V pairs_lo(V a, V b) {
  return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
MORPHMLP_INLINE V pairs_hi(V a, V b) {
  return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
