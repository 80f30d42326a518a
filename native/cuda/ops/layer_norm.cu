#include "ops/layer_norm.h"

#include "cuda/ops/norm_kernels.h"

namespace morphmlp::cuda {

template void norm_forward(const NormForward<float>&);
template void norm_forward(const NormForward<Bf16>&);
template void norm_backward(const NormGradient<float>&);
template void norm_backward(const NormGradient<Bf16>&);

template <class T>
void layer_norm_forward(const LayerNormForwardOf<T>& p) {
  norm_forward<T>({p.rows, p.cols, p.eps, p.x, p.gamma, p.beta, p.mean, p.rstd, p.y});
}
FOR_FLOATS(layer_norm_forward, LayerNormForward)

template <class T>
void layer_norm_backward(const LayerNormBackwardOf<T>& p) {
  norm_backward<T>({p.rows, p.cols, p.x, p.gamma, p.mean, p.rstd, p.dy, nullptr, p.dx, p.dgamma, p.dbeta});
}
FOR_FLOATS(layer_norm_backward, LayerNormBackward)

}  // namespace morphmlp::cuda
