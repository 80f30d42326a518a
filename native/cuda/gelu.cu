#include "kernels/gelu.h"

#include "cuda/numbers.h"

namespace morphmlp::cuda {
namespace {

template <class T>
struct Forward {
  GeluForwardOf<T> p;
  __device__ void operator()(int64_t i) const { store(p.y + i, gelu_of<T>(load(p.x + i))); }
};

template <class T>
struct Backward {
  GeluBackwardOf<T> p;
  __device__ void operator()(int64_t i) const { store(p.dx + i, load(p.dy + i) * gelu_slope_of<T>(load(p.x + i))); }
};

}  // namespace

template <class T>
void gelu_forward(const GeluForwardOf<T>& p) {
  launch_each(p.n, Forward<T>{p});
}
FOR_FLOATS(gelu_forward, GeluForward)
template <class T>
void gelu_backward(const GeluBackwardOf<T>& p) {
  launch_each(p.n, Backward<T>{p});
}
FOR_FLOATS(gelu_backward, GeluBackward)

}  // namespace morphmlp::cuda
