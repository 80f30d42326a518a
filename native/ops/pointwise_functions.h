// The functions of pointwise.def and arithmetic.def with their derivatives, for the CPU and the GPU. The order is that
// of `kind`, as in src/ops/pointwise.ts and src/ops/arithmetic.ts.
#pragma once
#include <cmath>
#include <cstdint>

#include "ops/both.h"

// F(name, y, dy/dx) of x, with the parameters a and b. NaN propagates.
#define POINTWISE_FUNCTIONS(F)                                                   \
  F(exp, expf(x), expf(x))                                                       \
  F(log, logf(x), 1 / x)                                                         \
  F(sqrt, sqrtf(x), 0.5f / sqrtf(x))                                             \
  F(rsqrt, 1 / sqrtf(x), -0.5f / (x * sqrtf(x)))                                 \
  F(abs, fabsf(x), x > 0 ? 1.0f : x < 0 ? -1.0f : x)                             \
  F(neg, -x, -1.0f)                                                              \
  F(relu, x <= 0 ? 0.0f : x, x <= 0 ? 0.0f : 1.0f)                               \
  F(sigmoid, 1 / (1 + expf(-x)), sigmoid_slope(x))                               \
  F(tanh, tanhf(x), 4 * sigmoid_slope(2 * x))                                    \
  F(softplus, (x <= 0 ? 0.0f : x) + log1pf(expf(-fabsf(x))), 1 / (1 + expf(-x))) \
  F(sin, sinf(x), cosf(x))                                                       \
  F(cos, cosf(x), -sinf(x))                                                      \
  F(clamp, x<a ? a : x> b ? b : x, x<a || x> b ? 0.0f : 1.0f)                    \
  F(pow, powf(x, a), a == 0 ? 0.0f : a * powf(x, a - 1))

// F(name, y, dy/da, dy/db) of a and b. A maximum or minimum of equals gives half of its gradient to each.
#define ARITHMETIC_FUNCTIONS(F)                                                                          \
  F(add, a + b, 1.0f, 1.0f)                                                                              \
  F(sub, a - b, 1.0f, -1.0f)                                                                             \
  F(mul, a* b, b, a)                                                                                     \
  F(div, a / b, 1 / b, -a / (b * b))                                                                     \
  F(minimum, a < b || a != a ? a : b, share(a < b, a == b), share(b < a, a == b))                        \
  F(maximum, a > b || a != a ? a : b, share(a > b, a == b), share(b > a, a == b))                        \
  F(pow, powf(a, b), b == 0 ? 0.0f : b * powf(a, b - 1), a == 0 && b >= 0 ? 0.0f : powf(a, b) * logf(a)) \
  F(equal, a == b ? 1.0f : 0.0f, 0.0f, 0.0f)                                                             \
  F(less, a < b ? 1.0f : 0.0f, 0.0f, 0.0f)                                                               \
  F(less_equal, a <= b ? 1.0f : 0.0f, 0.0f, 0.0f)                                                        \
  F(keep, b != 0 ? a : 0.0f, b != 0 ? 1.0f : 0.0f, 0.0f)                                                 \
  F(drop, b != 0 ? 0.0f : a, b != 0 ? 0.0f : 1.0f, 0.0f)

namespace morphmlp::MORPHMLP_ISA {

// Derivative of 1 / (1 + exp(-x)), without cancellation.
MORPHMLP_BOTH inline float sigmoid_slope(float x) {
  const float e = expf(-fabsf(x));
  return e / ((1 + e) * (1 + e));
}

MORPHMLP_BOTH inline float share(bool chosen, bool tied) { return chosen ? 1.0f : tied ? 0.5f : 0.0f; }

#define NAME(name, ...) k_##name,
enum PointwiseKind : int64_t { POINTWISE_FUNCTIONS(NAME) };
#undef NAME
#define NAME(name, ...) k_binary_##name,
enum ArithmeticKind : int64_t { ARITHMETIC_FUNCTIONS(NAME) };
#undef NAME

}  // namespace morphmlp::MORPHMLP_ISA
