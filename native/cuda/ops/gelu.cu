#include "ops/gelu.h"

#include "cuda/vectorized.h"

namespace morphmlp::cuda {
namespace {

template <class T>
struct Forward {
  GeluForwardOf<T> p;
  template <int N>
  __device__ void run(int64_t i) const {
    Vec<N> value = load<N>(p.x + i);
    for (float& v : value.at) v = gelu_of<T>(v);
    store(p.y + i, value);
  }
};

template <class T>
struct Backward {
  GeluBackwardOf<T> p;
  template <int N>
  __device__ void run(int64_t i) const {
    const Vec<N> x = load<N>(p.x + i);
    Vec<N> grad = load<N>(p.dy + i);
    for (int j = 0; j < N; ++j) grad.at[j] *= gelu_slope_of<T>(x.at[j]);
    store(p.dx + i, grad);
  }
};

}  // namespace

template <class T>
void gelu_forward(const GeluForwardOf<T>& p) {
  launch_vectorized<kVecSize<T>>(p.n, aligned(p.x, p.y), Forward<T>{p});
}
FOR_FLOATS(gelu_forward, GeluForward)
template <class T>
void gelu_backward(const GeluBackwardOf<T>& p) {
  launch_vectorized<kVecSize<T>>(p.n, aligned(p.x, p.dy, p.dx), Backward<T>{p});
}
FOR_FLOATS(gelu_backward, GeluBackward)

}  // namespace morphmlp::cuda
