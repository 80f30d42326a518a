// Elementary functions on vectors; all propagate NaN. test/native/vmath_test.cc asserts the error bounds. The
// polynomials are weighted minimax fits made for this file.
#pragma once

#include "simd.h"

namespace morphmlp {
namespace MORPHMLP_ISA {

// c[0] + c[1] x + ... by Horner's rule.
template <int kCount>
MORPHMLP_INLINE V polynomial(V x, const float (&c)[kCount]) {
  V y = set1(c[kCount - 1]);
#pragma GCC unroll 16
  for (int i = kCount - 2; i >= 0; --i) y = fma(y, x, set1(c[i]));
  return y;
}

// e^x within 1.1 ulp over the whole range, including denormal results, 0 and infinity.
MORPHMLP_INLINE V exp(V x) {
  constexpr float kTail[] = {4.999999404e-01f, 1.666652113e-01f, 4.166838899e-02f, 8.368716575e-03f, 1.381459879e-03f};
  const V clamped = min(set1(90.0f), max(set1(-105.0f), x));
  const V n = round_even(mul(clamped, set1(1.44269504f)));
  // ln 2 in two parts (Cody-Waite), the first short enough for its product with n to be exact.
  const V r = fnma(n, set1(-2.12194440e-4f), fnma(n, set1(0.693359375f), clamped));
  const V e = add(fma(mul(r, r), polynomial(r, kTail), r), set1(1.0f));
  return scale_pow2(e, n);
}

// 2^y for y in [-60, 0], relative error 1e-7.
MORPHMLP_INLINE V exp2_small(V y) {
  constexpr float kSeries[] = {
      1.0f, 6.931470037e-01f, 2.402224243e-01f, 5.550733581e-02f, 9.671512991e-03f, 1.326472731e-03f};
  const V n = round_even(y);
  return scale_pow2_normal(polynomial(sub(y, n), kSeries), n);
}

constexpr float kTailEnd = 6.5f;  // the normal tail is cut off here, where it is 4e-11

// Upper tail of the normal distribution, Q(t) = erfc(t / sqrt 2) / 2, for t in [0, kTailEnd], as 2^polynomial(t). The
// relative error is 2e-7 near 0 and grows to 4e-6 at kTailEnd, where Q is negligible; 1 + erf(x) would cancel there.
MORPHMLP_INLINE V normal_tail(V t) {
  constexpr float kLogTail[] = {-1.000000000e+00f, -1.151105285e+00f, -4.592130184e-01f, -5.245936662e-02f,
                                6.960825995e-03f,  4.153488135e-06f,  -2.927651512e-04f, 8.521186828e-05f,
                                -1.389419504e-05f, 1.397090841e-06f,  -8.078846037e-08f, 2.058911708e-09f};
  return exp2_small(polynomial(t, kLogTail));
}

// erf(x) within 2 ulp.
MORPHMLP_INLINE V erf(V x) {
  constexpr float kSeries[] = {1.283791661e-01f, -3.761262596e-01f, 1.128358543e-01f, -2.685381286e-02f,
                               5.188327748e-03f, -8.010193706e-04f, 7.853861462e-05f};
  const V t = abs(x);
  const V near = fma(x, polynomial(mul(x, x), kSeries), x);
  const V tail = normal_tail(min(set1(kTailEnd), mul(t, set1(1.41421356f))));
  const V far = copysign(fnma(set1(2.0f), tail, set1(1.0f)), x);
  return select(less(t, set1(1.0f)), near, far);
}

// tanh(x) within 2 ulp.
MORPHMLP_INLINE V tanh(V x) {
  constexpr float kSeries[] = {-3.333319128e-01f, 1.332911104e-01f, -5.355885997e-02f, 2.009196952e-02f,
                               -5.138660781e-03f};
  const V t = abs(x), square = mul(x, x);
  const V near = fma(mul(x, square), polynomial(square, kSeries), x);
  const V e = exp(min(set1(20.0f), add(t, t)));
  const V far = copysign(sub(set1(1.0f), div(set1(2.0f), add(e, set1(1.0f)))), x);
  return select(less(t, set1(0.7f)), near, far);
}

// Exact GELU, x Phi(x) = max(x, 0) - |x| Q(|x|), without cancellation for either sign.
MORPHMLP_INLINE V gelu(V x) {
  const V t = min(set1(kTailEnd), abs(x));
  return fnma(t, normal_tail(t), max(zero(), x));
}

// Exact GELU and its derivative Phi(x) + x phi(x), which is Q(t) - t phi(t) for x < 0 and one minus that for x >= 0.
MORPHMLP_INLINE void gelu_with_grad(V x, V* y, V* dy) {
  const V t = min(set1(kTailEnd), abs(x));
  const V tail = normal_tail(t);
  const V bell = mul(set1(0.398942280f), exp2_small(mul(mul(t, set1(-0.721347520f)), t)));
  const V below = fnma(t, bell, tail);
  *y = fnma(t, tail, max(zero(), x));
  *dy = select(less(x, zero()), below, sub(set1(1.0f), below));
}

// GELU and its derivative for results of type T.
template <class T>
MORPHMLP_INLINE V gelu_of(V x) {
  return gelu(x);
}
template <class T>
MORPHMLP_INLINE void gelu_with_grad_of(V x, V* y, V* dy) {
  gelu_with_grad(x, y, dy);
}

// Derivative of the exact GELU.
MORPHMLP_INLINE V gelu_grad(V x) {
  V y, dy;
  gelu_with_grad(x, &y, &dy);
  return dy;
}

}  // namespace MORPHMLP_ISA
}  // namespace morphmlp
