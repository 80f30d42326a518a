// Baseline x86-64 (SSE2): 4 lanes, no fused multiply-add. Included by simd.h, inside its namespace.
constexpr int kLanes = 4;
constexpr bool kHasFma = false, kHasBf16Dot = false;
constexpr const char* kIsaName = "baseline";
using V = __m128;
using Mask = __m128;

MORPHMLP_INLINE V zero() { return _mm_setzero_ps(); }
MORPHMLP_INLINE V set1(float x) { return _mm_set1_ps(x); }
MORPHMLP_INLINE V load(const float* p) { return _mm_loadu_ps(p); }
MORPHMLP_INLINE void store(float* p, V v) { _mm_storeu_ps(p, v); }
MORPHMLP_INLINE V load_n(const float* p, int n) {
  if (n == 4) return load(p);
  if (n == 1) return _mm_load_ss(p);
  double pair;  // copied: p need not be aligned as a double is
  __builtin_memcpy(&pair, p, sizeof pair);
  const __m128 two = _mm_castpd_ps(_mm_set_sd(pair));
  return n == 2 ? two : _mm_movelh_ps(two, _mm_load_ss(p + 2));
}
MORPHMLP_INLINE void store_n(float* p, V v, int n) {
  if (n == 4) return store(p, v);
  if (n == 1) return _mm_store_ss(p, v);
  const double pair = _mm_cvtsd_f64(_mm_castps_pd(v));
  __builtin_memcpy(p, &pair, sizeof pair);
  if (n == 3) _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
}

MORPHMLP_INLINE V load(const Bf16* p) {
  return _mm_castsi128_ps(
      _mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
MORPHMLP_INLINE __m128i round_bits(V v) {
  const __m128i bits = _mm_castps_si128(v), odd = _mm_and_si128(_mm_srli_epi32(bits, 16), _mm_set1_epi32(1));
  const __m128i nearest = _mm_add_epi32(bits, _mm_add_epi32(odd, _mm_set1_epi32(0x7FFF)));
  const __m128i nan = _mm_or_si128(bits, _mm_set1_epi32(0x400000)), is_nan = _mm_castps_si128(_mm_cmpunord_ps(v, v));
  return _mm_or_si128(_mm_and_si128(is_nan, nan), _mm_andnot_si128(is_nan, nearest));
}
MORPHMLP_INLINE V round_bf16(V v) { return _mm_castsi128_ps(_mm_andnot_si128(_mm_set1_epi32(0xFFFF), round_bits(v))); }
MORPHMLP_INLINE void store(Bf16* p, V v) {
  const __m128i half = _mm_srai_epi32(round_bits(v), 16);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(half, half));
}

MORPHMLP_INLINE V add(V a, V b) { return _mm_add_ps(a, b); }
MORPHMLP_INLINE V sub(V a, V b) { return _mm_sub_ps(a, b); }
MORPHMLP_INLINE V mul(V a, V b) { return _mm_mul_ps(a, b); }
MORPHMLP_INLINE V div(V a, V b) { return _mm_div_ps(a, b); }
MORPHMLP_INLINE V min(V a, V b) { return _mm_min_ps(a, b); }
MORPHMLP_INLINE V max(V a, V b) { return _mm_max_ps(a, b); }
MORPHMLP_INLINE V sqrt(V a) { return _mm_sqrt_ps(a); }
MORPHMLP_INLINE V fma(V a, V b, V c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
MORPHMLP_INLINE V fnma(V a, V b, V c) { return _mm_sub_ps(c, _mm_mul_ps(a, b)); }
MORPHMLP_INLINE V abs(V a) { return _mm_andnot_ps(set1(-0.0f), a); }
MORPHMLP_INLINE V copysign(V magnitude, V sign) { return _mm_or_ps(abs(magnitude), _mm_and_ps(set1(-0.0f), sign)); }
MORPHMLP_INLINE Mask less(V a, V b) { return _mm_cmplt_ps(a, b); }
MORPHMLP_INLINE V select(Mask m, V yes, V no) { return _mm_or_ps(_mm_and_ps(m, yes), _mm_andnot_ps(m, no)); }
// For |a| < 2^31 only, as the callers need; does not propagate NaN.
MORPHMLP_INLINE V round_even(V a) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(a)); }
MORPHMLP_INLINE V pow2(__m128i n) {
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(n, _mm_set1_epi32(127)), 23));
}
// a * 2^n for integral n in [-252, 254], in two steps, since 2^n may be out of range.
MORPHMLP_INLINE V scale_pow2(V a, V n) {
  const __m128i whole = _mm_cvtps_epi32(n), half = _mm_srai_epi32(whole, 1);
  return mul(mul(a, pow2(half)), pow2(_mm_sub_epi32(whole, half)));
}
// scale_pow2 for a and a * 2^n in the normal range (or NaN): adds n to the exponent.
MORPHMLP_INLINE V scale_pow2_normal(V a, V n) {
  return _mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(a), _mm_slli_epi32(_mm_cvtps_epi32(n), 23)));
}

MORPHMLP_INLINE float hsum(V v) {
  const __m128 d = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_shuffle_ps(d, d, 1)));
}

// Loads four floats from each of kLanes/4 rows, `step` floats apart: the input of a 4 x 4 transposition.
MORPHMLP_INLINE V load_quads(const float* p, std::int64_t) { return load(p); }
MORPHMLP_INLINE V unpack_lo(V a, V b) { return _mm_unpacklo_ps(a, b); }
MORPHMLP_INLINE V unpack_hi(V a, V b) { return _mm_unpackhi_ps(a, b); }
MORPHMLP_INLINE V pairs_lo(V a, V b) { return _mm_movelh_ps(a, b); }
MORPHMLP_INLINE V pairs_hi(V a, V b) { return _mm_movehl_ps(b, a); }
