#include "kernels/linear.h"

#include "cuda/column_sums.h"
#include "cuda/gemm.h"

namespace morphmlp::cuda {

void linear_forward(const LinearForward& p) {
  const auto x = gather(PlainLayout{}, Dense<float>{p.x, as_int(p.k)});
  const PutActivated<float> put{p.y, p.z, as_int(p.n), p.bias, p.gelu};
  multiply(by_row(x, p.rows), by_row(weight_of(p.weight, p.k), p.n), p.k, scatter(PlainLayout{}, put));
}

void linear_backward(const LinearBackward& p) {
  const auto x = gather(PlainLayout{}, Dense<float>{p.x, as_int(p.k)});
  const auto dy = gather(PlainLayout{}, Dense<float>{p.dy, as_int(p.n)});
  if (p.dx)
    multiply(by_row(dy, p.rows), by_column(weight_of(p.weight, p.k), p.k), p.n,
             scatter(PlainLayout{}, PutBiased<float>{p.dx, as_int(p.k), nullptr, false}));
  if (p.dweight) weight_gradient(dy, x, p.rows, p.n, p.k, p.dweight);
  bias_gradient(dy, p.rows, p.n, p.dbias);
}

}  // namespace morphmlp::cuda
