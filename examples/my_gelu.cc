// A kernel for the op gelu. What a kernel is given and has to write stands in include/morphmlp_kernel.h; morphmlp_each
// calls a body for each index on the program's threads (and, where nvcc compiles this file, for each index on a GPU).
#include <cmath>

#include "morphmlp_each.h"

// The normal distribution's Phi. The gradient of x Phi(x) is Phi(x) + x phi(x).
MORPHMLP_DEVICE static float area(float x) { return 0.5f * (1 + erff(x * 0.70710678f)); }

struct Forward {
  const float* x;
  float* y;
  MORPHMLP_DEVICE void operator()(int64_t i) const { y[i] = x[i] * area(x[i]); }
};

struct Backward {
  const float *x, *dy;
  float* dx;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const float density = 0.39894228f * expf(-0.5f * x[i] * x[i]);
    dx[i] = dy[i] * (area(x[i]) + x[i] * density);
  }
};

static int32_t forward(const morphmlp_call* call) {
  const int64_t n = morphmlp_input(call, "x")->shape[0];
  return morphmlp_each(call, n, Forward{morphmlp_in(call, "x"), morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const int64_t n = morphmlp_input(call, "x")->shape[0];
  return morphmlp_each(call, n, Backward{morphmlp_in(call, "x"), morphmlp_in(call, "dy"), morphmlp_out(call, "dx")});
}

MORPHMLP_KERNEL("gelu", "my_gelu", nullptr, forward, backward)
