// Exact GELU, by an approximation of the normal distribution that vectorizes.
#include "morphmlp_layers.h"

struct Forward {
  morphmlp_values x, y;
  MORPHMLP_DEVICE void operator()(int64_t i) const { y.set(i, morphmlp_gelu(x.get(i))); }
};

// dx = dy (Phi(x) + x phi(x)), where Phi and phi are the CDF and density of the normal distribution.
struct Backward {
  morphmlp_values x, dy, dx;
  MORPHMLP_DEVICE void operator()(int64_t i) const { dx.set(i, dy.get(i) * morphmlp_gelu_slope(x.get(i))); }
};

static int32_t forward(const morphmlp_call* call) {
  const morphmlp_tensor* x = morphmlp_input(call, "x");
  return morphmlp_each(call, x->shape[0],
                       Forward{morphmlp_values_of(x), morphmlp_values_of(morphmlp_output(call, "y"))});
}

static int32_t backward(const morphmlp_call* call) {
  const morphmlp_tensor *x = morphmlp_input(call, "x"), *dy = morphmlp_input(call, "dy");
  const morphmlp_values dx = morphmlp_values_of(morphmlp_output(call, "dx"));
  return morphmlp_each_if(dx.data, call, x->shape[0], Backward{morphmlp_values_of(x), morphmlp_values_of(dy), dx});
}

MORPHMLP_BF16_KERNEL("gelu", "starter", nullptr, forward, backward)
