#include "ops/pointwise.h"

#include "cuda/vectorized.h"
#include "ops/pointwise_functions.h"

namespace morphmlp::cuda {
namespace {

__device__ float value_of(int64_t kind, [[maybe_unused]] float a, [[maybe_unused]] float b, float x) {
  switch (kind) {
#define CASE(name, value, slope) \
  case k_##name:                 \
    return value;
    POINTWISE_FUNCTIONS(CASE)
#undef CASE
  }
  return 0;
}

__device__ float slope_of(int64_t kind, [[maybe_unused]] float a, [[maybe_unused]] float b, float x) {
  switch (kind) {
#define CASE(name, value, slope) \
  case k_##name:                 \
    return slope;
    POINTWISE_FUNCTIONS(CASE)
#undef CASE
  }
  return 0;
}

template <class T>
struct Forward {
  PointwiseForwardOf<T> p;
  template <int N>
  __device__ void run(int64_t i) const {
    Vec<N> x = load<N>(p.x + i);
    for (float& v : x.at) v = value_of(p.kind, p.a, p.b, v);
    store(p.y + i, x);
  }
};

template <class T>
struct Backward {
  PointwiseBackwardOf<T> p;
  template <int N>
  __device__ void run(int64_t i) const {
    const Vec<N> x = load<N>(p.x + i);
    Vec<N> grad = load<N>(p.dy + i);
    for (int j = 0; j < N; ++j) grad.at[j] *= slope_of(p.kind, p.a, p.b, x.at[j]);
    store(p.dx + i, grad);
  }
};

}  // namespace

template <class T>
void pointwise_forward(const PointwiseForwardOf<T>& p) {
  launch_vectorized<kVecSize<T>>(p.n, aligned(p.x, p.y), Forward<T>{p});
}
FOR_FLOATS(pointwise_forward, PointwiseForward)
template <class T>
void pointwise_backward(const PointwiseBackwardOf<T>& p) {
  launch_vectorized<kVecSize<T>>(p.n, aligned(p.x, p.dy, p.dx), Backward<T>{p});
}
FOR_FLOATS(pointwise_backward, PointwiseBackward)

}  // namespace morphmlp::cuda
