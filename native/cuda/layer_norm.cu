#include "kernels/layer_norm.h"

#include "cuda/norm_rows.h"

namespace morphmlp::cuda {

template <class T>
void layer_norm_forward(const LayerNormForwardOf<T>& p) {
  launch_rows(p.rows, NormRows<T>{{}, p.x, p.rows, as_int(p.cols), p.eps, p.gamma, p.beta, p.mean, p.rstd, p.y});
}
FOR_FLOATS(layer_norm_forward, LayerNormForward)

template <class T>
void layer_norm_backward(const LayerNormBackwardOf<T>& p) {
  norm_backward<T>({p.rows, p.cols, p.x, p.gamma, p.mean, p.rstd, p.dy, nullptr, p.dx, p.dgamma, p.dbeta});
}
FOR_FLOATS(layer_norm_backward, LayerNormBackward)

}  // namespace morphmlp::cuda
