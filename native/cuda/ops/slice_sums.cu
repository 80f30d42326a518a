// Sums of gradients over ranks, in the stream of the communication (runtime/cuda.h).
#include "cuda/launch.h"

namespace morphmlp::cuda::side {
namespace {

struct Fill {
  float* to;
  float value;
  __device__ void operator()(int64_t i) const { to[i] = value; }
};

struct Add {
  float* into;
  const float* from;
  __device__ void operator()(int64_t i) const { into[i] += from[i]; }
};

}  // namespace

void fill(float* to, float value, int64_t n) { launch_each_on(stream(), n, Fill{to, value}); }
void add(float* into, const float* from, int64_t n) { launch_each_on(stream(), n, Add{into, from}); }

}  // namespace morphmlp::cuda::side
