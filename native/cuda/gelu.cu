#include "kernels/gelu.h"

#include "cuda/numbers.h"

namespace morphmlp::cuda {
namespace {

struct Forward {
  GeluForward p;
  __device__ void operator()(int64_t i) const { p.y[i] = gelu(p.x[i]); }
};

struct Backward {
  GeluBackward p;
  __device__ void operator()(int64_t i) const { p.dx[i] = p.dy[i] * gelu_slope(p.x[i]); }
};

}  // namespace

void gelu_forward(const GeluForward& p) { launch_each(p.n, Forward{p}); }
void gelu_backward(const GeluBackward& p) { launch_each(p.n, Backward{p}); }

}  // namespace morphmlp::cuda
