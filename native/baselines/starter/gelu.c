/* Exact GELU in C, in blocks of elements on the program's threads. An approximation of erf that vectorizes would make
 * it faster. */
#include <math.h>

#include "morphmlp_kernel.h"

enum { kBlock = 1024 };

typedef struct {
  int64_t n;
  const float *x, *dy; /* dy is NULL in the forward */
  float* to;
} elements;

static void block(void* context, int64_t index) {
  const elements* e = (const elements*)context;
  const int64_t first = index * kBlock, last = first + kBlock < e->n ? first + kBlock : e->n;
  for (int64_t i = first; i < last; ++i) {
    const float x = e->x[i], cdf = 0.5f * (1 + erff(x * 0.70710678f));
    e->to[i] = e->dy ? e->dy[i] * (cdf + x * 0.39894228f * expf(-0.5f * x * x)) : x * cdf;
  }
}

static int32_t run(const morphmlp_call* call, const float* dy, float* to) {
  elements e = {morphmlp_input(call, "x")->shape[0], morphmlp_in(call, "x"), dy, to};
  if (to) call->parallel((e.n + kBlock - 1) / kBlock, block, &e);
  return MORPHMLP_OK;
}

static int32_t forward(const morphmlp_call* call) { return run(call, NULL, morphmlp_out(call, "y")); }

/* dx = dy (Phi(x) + x phi(x)), where Phi and phi are the CDF and density of the normal distribution. */
static int32_t backward(const morphmlp_call* call) {
  return run(call, morphmlp_in(call, "dy"), morphmlp_out(call, "dx"));
}

MORPHMLP_EXPORT const morphmlp_kernel* morphmlp_kernel_entry(void) {
  static const morphmlp_kernel kernel = {MORPHMLP_KERNEL_ABI, MORPHMLP_CPU, "gelu",  "starter",
                                         MORPHMLP_FLAGS,      NULL,         forward, backward,
                                         MORPHMLP_TAKES_F32,  NULL,         0};
  return &kernel;
}
