// AArch64 Advanced SIMD, with or without its instructions for bf16 (FEAT_BF16): 4 lanes. Included by simd.h, inside its
// namespace.
constexpr int kLanes = 4;
constexpr bool kHasFma = true;
#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
constexpr bool kHasBf16Dot = true;
constexpr const char* kIsaName = "neonbf16";
#else
constexpr bool kHasBf16Dot = false;
constexpr const char* kIsaName = "neon";
#endif
using V = float32x4_t;
using Mask = uint32x4_t;

MORPHMLP_INLINE V zero() { return vdupq_n_f32(0.0f); }
MORPHMLP_INLINE V set1(float x) { return vdupq_n_f32(x); }
MORPHMLP_INLINE V load(const float* p) { return vld1q_f32(p); }
MORPHMLP_INLINE void store(float* p, V v) { vst1q_f32(p, v); }
MORPHMLP_INLINE V load_n(const float* p, int n) {
  if (n == 4) return load(p);
  if (n == 1) return vld1q_lane_f32(p, zero(), 0);
  const V two = vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f));
  return n == 2 ? two : vld1q_lane_f32(p + 2, two, 2);
}
MORPHMLP_INLINE void store_n(float* p, V v, int n) {
  if (n == 4) return store(p, v);
  if (n == 1) return vst1q_lane_f32(p, v, 0);
  vst1_f32(p, vget_low_f32(v));
  if (n == 3) vst1q_lane_f32(p + 2, v, 2);
}

MORPHMLP_INLINE V widen(uint16x4_t half) { return vreinterpretq_f32_u32(vshll_n_u16(half, 16)); }
MORPHMLP_INLINE V load(const Bf16* p) { return widen(vld1_u16(reinterpret_cast<const uint16_t*>(p))); }
#ifdef __ARM_FEATURE_BF16_VECTOR_ARITHMETIC
MORPHMLP_INLINE uint16x4_t narrow(V v) { return vreinterpret_u16_bf16(vcvt_bf16_f32(v)); }
MORPHMLP_INLINE V round_bf16(V v) { return widen(narrow(v)); }
// By element, so that a scalar load is all that the pair takes; a broadcast would keep a vector unit busy.
MORPHMLP_INLINE V dot_pairs(float pair, V b, V sum) {
  uint32_t bits;
  std::memcpy(&bits, &pair, sizeof(bits));
  return vbfdotq_lane_f32(sum, vreinterpretq_bf16_f32(b), vcreate_bf16(bits), 0);
}
MORPHMLP_INLINE uint16x4_t narrow_n(const float* p, int n) { return narrow(load_n(p, n)); }
MORPHMLP_INLINE uint16x4_t narrow_n(const Bf16* p, int n) {
  if (n == 4) return vld1_u16(reinterpret_cast<const uint16_t*>(p));
  uint16_t all[kLanes] = {};
  for (int i = 0; i < n; ++i) all[i] = p[i].bits;
  return vld1_u16(all);
}
template <class T>
MORPHMLP_INLINE V pair_rows(const T* even, const T* odd, int n) {
  const uint16x4_t none = vdup_n_u16(0), low = narrow_n(even, n), high = odd ? narrow_n(odd, n) : none;
  return vreinterpretq_f32_u16(vzip1q_u16(vcombine_u16(low, none), vcombine_u16(high, none)));
}
#else
MORPHMLP_INLINE uint32x4_t round_bits(V v) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t nearest = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
  return vbslq_u32(vceqq_f32(v, v), nearest, vorrq_u32(bits, vdupq_n_u32(0x400000)));
}
MORPHMLP_INLINE uint16x4_t narrow(V v) { return vshrn_n_u32(round_bits(v), 16); }
MORPHMLP_INLINE V round_bf16(V v) { return vreinterpretq_f32_u32(vandq_u32(round_bits(v), vdupq_n_u32(0xFFFF0000u))); }
#endif
MORPHMLP_INLINE void store(Bf16* p, V v) { vst1_u16(reinterpret_cast<uint16_t*>(p), narrow(v)); }

MORPHMLP_INLINE V add(V a, V b) { return vaddq_f32(a, b); }
MORPHMLP_INLINE V sub(V a, V b) { return vsubq_f32(a, b); }
MORPHMLP_INLINE V mul(V a, V b) { return vmulq_f32(a, b); }
MORPHMLP_INLINE V div(V a, V b) { return vdivq_f32(a, b); }
MORPHMLP_INLINE Mask less(V a, V b) { return vcltq_f32(a, b); }
MORPHMLP_INLINE V select(Mask m, V yes, V no) { return vbslq_f32(m, yes, no); }
// Not vminq/vmaxq, which return NaN if either operand is NaN; the contract is to return b, as on x86.
MORPHMLP_INLINE V min(V a, V b) { return select(less(a, b), a, b); }
MORPHMLP_INLINE V max(V a, V b) { return select(less(b, a), a, b); }
MORPHMLP_INLINE V sqrt(V a) { return vsqrtq_f32(a); }
MORPHMLP_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
MORPHMLP_INLINE V fnma(V a, V b, V c) { return vfmsq_f32(c, a, b); }
MORPHMLP_INLINE V abs(V a) { return vabsq_f32(a); }
MORPHMLP_INLINE V copysign(V magnitude, V sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude); }
MORPHMLP_INLINE V round_even(V a) { return vrndnq_f32(a); }
MORPHMLP_INLINE V pow2(int32x4_t n) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23)); }
// a * 2^n for integral n in [-252, 254], in two steps, since 2^n may be out of range.
MORPHMLP_INLINE V scale_pow2(V a, V n) {
  const int32x4_t whole = vcvtnq_s32_f32(n), half = vshrq_n_s32(whole, 1);
  return mul(mul(a, pow2(half)), pow2(vsubq_s32(whole, half)));
}
// scale_pow2 for a and a * 2^n in the normal range (or NaN): adds n to the exponent.
MORPHMLP_INLINE V scale_pow2_normal(V a, V n) {
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), vshlq_n_s32(vcvtnq_s32_f32(n), 23)));
}

MORPHMLP_INLINE float hsum(V v) {
  const float32x2_t d = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(d, 0) + vget_lane_f32(d, 1);
}

// Loads four floats from each of kLanes/4 rows, `step` floats apart: the input of a 4 x 4 transposition.
MORPHMLP_INLINE V load_quads(const float* p, std::int64_t) { return load(p); }
MORPHMLP_INLINE V unpack_lo(V a, V b) { return vzip1q_f32(a, b); }
MORPHMLP_INLINE V unpack_hi(V a, V b) { return vzip2q_f32(a, b); }
MORPHMLP_INLINE V pairs_lo(V a, V b) {
  return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
MORPHMLP_INLINE V pairs_hi(V a, V b) {
  return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
