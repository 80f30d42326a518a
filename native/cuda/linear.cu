#include "kernels/linear.h"

#include "cuda/column_sums.h"
#include "cuda/gemm.h"

namespace morphmlp::cuda {

template <class T>
void linear_forward(const LinearForwardOf<T>& p) {
  const auto x = gather(PlainLayout{}, Dense<T>{p.x, as_int(p.k)});
  const PutActivated<T> put{p.y, p.z, as_int(p.n), p.bias, p.gelu};
  multiply<T>(by_row(x, p.rows), by_row(weight_of(p.weight, p.k), p.n), p.k, scatter(PlainLayout{}, put));
}
FOR_FLOATS(linear_forward, LinearForward)

template <class T>
void linear_backward(const LinearBackwardOf<T>& p) {
  const auto x = gather(PlainLayout{}, Dense<T>{p.x, as_int(p.k)});
  const auto dy = gather(PlainLayout{}, Dense<T>{p.dy, as_int(p.n)});
  if (p.dx)
    multiply<T>(by_row(dy, p.rows), by_column(weight_of(p.weight, p.k), p.k), p.n,
                scatter(PlainLayout{}, PutBiased<T>{p.dx, as_int(p.k), nullptr, false}));
  if (p.dweight) weight_gradient<T>(dy, x, p.rows, p.n, p.k, p.dweight);
  bias_gradient(dy, p.rows, p.n, p.dbias);
}
FOR_FLOATS(linear_backward, LinearBackward)

}  // namespace morphmlp::cuda
