// Exact GELU, one element at a time.
#include <math.h>

#include "morphmlp_each.h"

struct Forward {
  const float* x;
  float* y;

  MORPHMLP_DEVICE void operator()(int64_t i) const { y[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f)); }
};

// dx = dy (Phi(x) + x phi(x)), where Phi and phi are the CDF and density of the normal distribution.
struct Backward {
  const float *x, *dy;
  float* dx;

  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const float cdf = 0.5f * (1 + erff(x[i] * 0.70710678f));
    const float density = 0.39894228f * expf(-0.5f * x[i] * x[i]);
    dx[i] = dy[i] * (cdf + x[i] * density);
  }
};

static int32_t forward(const morphmlp_call* call) {
  const int64_t n = morphmlp_input(call, "x")->shape[0];
  return morphmlp_each(call, n, Forward{morphmlp_in(call, "x"), morphmlp_out(call, "y")});
}

static int32_t backward(const morphmlp_call* call) {
  const int64_t n = morphmlp_input(call, "x")->shape[0];
  float* dx = morphmlp_out(call, "dx");
  return morphmlp_each_if(dx, call, n, Backward{morphmlp_in(call, "x"), morphmlp_in(call, "dy"), dx});
}

MORPHMLP_KERNEL("gelu", "naive", nullptr, forward, backward)
