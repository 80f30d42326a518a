#include "ops/max.h"

#include "cuda/launch.h"

namespace morphmlp::cuda {
namespace {

__device__ bool is_above(float value, float best) { return value > best || (value != value && best == best); }

struct Forward {
  MaxForward p;
  __device__ void operator()(int64_t i) const {
    const float* x = p.x + i / p.inner * p.n * p.inner + i % p.inner;
    float best = x[0];
    int32_t place = 0;
    for (int64_t j = 1; j < p.n; ++j)
      if (is_above(x[j * p.inner], best)) {
        best = x[j * p.inner];
        place = static_cast<int32_t>(j);
      }
    p.y[i] = best;
    p.index[i] = place;
  }
};

struct Backward {
  MaxBackward p;
  __device__ void operator()(int64_t i) const {
    const int64_t j = i / p.inner % p.n, at = i / (p.n * p.inner) * p.inner + i % p.inner;
    p.dx[i] = p.index[at] == j ? p.dy[at] : 0.0f;
  }
};

}  // namespace

void max_forward(const MaxForward& p) { launch_each(p.outer * p.inner, Forward{p}); }
void max_backward(const MaxBackward& p) { launch_each(p.outer * p.n * p.inner, Backward{p}); }

}  // namespace morphmlp::cuda
