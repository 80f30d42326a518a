#include "ops/gather.h"

#include "cuda/launch.h"

namespace morphmlp::cuda {
namespace {

struct Forward {
  GatherForward p;
  __device__ void operator()(int64_t at) const {
    const int64_t o = at / (p.taken * p.inner);
    p.y[at] = p.x[(o * p.n + p.index[at]) * p.inner + at % p.inner];
  }
};

// An index may repeat: one thread adds up one column, without atomics.
struct Backward {
  GatherBackward p;
  __device__ void operator()(int64_t column) const {
    const int64_t o = column / p.inner, i = column % p.inner;
    for (int64_t j = 0; j < p.n; ++j) p.dx[(o * p.n + j) * p.inner + i] = 0;
    for (int64_t j = 0; j < p.taken; ++j) {
      const int64_t at = (o * p.taken + j) * p.inner + i;
      p.dx[(o * p.n + p.index[at]) * p.inner + i] += p.dy[at];
    }
  }
};

}  // namespace

void gather_forward(const GatherForward& p) { launch_each(p.outer * p.taken * p.inner, Forward{p}); }
void gather_backward(const GatherBackward& p) { launch_each(p.outer * p.inner, Backward{p}); }

}  // namespace morphmlp::cuda
