#include "ops/linear.h"

#include "cuda/gemm/fc_gradients.h"

namespace morphmlp::cuda {

template <class T>
void linear_forward(const LinearForwardOf<T>& p) {
  const auto x = gather(PlainLayout{}, Dense<T>{p.x, as_int(p.k)});
  const ActivationEpilogue<T> epilogue{p.y, p.z, as_int(p.n), p.bias, p.gelu};
  multiply<T>(by_row(x, p.rows), by_row(weight_of(p.weight, p.k), p.n), p.k, scatter(PlainLayout{}, epilogue));
}
FOR_FLOATS(linear_forward, LinearForward)

template <class T>
void linear_backward(const LinearBackwardOf<T>& p) {
  const auto x = gather(PlainLayout{}, Dense<T>{p.x, as_int(p.k)});
  const auto dy = gather(PlainLayout{}, Dense<T>{p.dy, as_int(p.n)});
  fc_gradients<T>({p.rows, p.n, p.k, weight_of(p.weight, p.k), p.dx != nullptr, p.dweight, p.dbias}, dy, x,
                  scatter(PlainLayout{}, BiasEpilogue<T>{p.dx, as_int(p.k), nullptr, false}));
}
FOR_FLOATS(linear_backward, LinearBackward)

}  // namespace morphmlp::cuda
