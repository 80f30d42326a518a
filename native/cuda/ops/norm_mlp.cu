#include "ops/norm_mlp.h"

#include "cuda/gemm/fc_gradients.h"
#include "cuda/ops/fused_mlp.h"
#include "cuda/ops/norm_rows.h"

namespace morphmlp::cuda {

template <class T>
void norm_mlp_forward(const NormMlpForwardOf<T>& p) {
  if constexpr (std::is_same_v<T, Bf16>)
    if (fused_mlp(p, static_cast<const float*>(p.w1->data), static_cast<const float*>(p.w2->data))) return;
  const auto [rows, channels, hidden, rows_per_clip] = p.at;
  const int c = as_int(channels), h = as_int(hidden);
  const PlainLayout layout;
  const Workspace<T> activated(rows * hidden);
  norm_statistics(p.x, rows, channels, p.eps, p.mean, p.rstd);
  const auto normed = gather(layout, Normed<T>{p.x, c, p.mean, p.rstd, p.gamma, p.beta});
  multiply<T>(by_row(normed, rows), by_row(weight_of(p.w1, c), h), c,
              scatter(layout, ActivationEpilogue<T>{activated.data(), p.z, h, p.b1, true}));
  multiply<T>(by_row(gather(layout, Dense<T>{activated.data(), h}), rows), by_row(weight_of(p.w2, h), c), h,
              scatter(layout, ResidualEpilogue<T>{p.x, p.y, c, p.b2, p.scale, Divisor(rows_per_clip)}));
}
FOR_FLOATS(norm_mlp_forward, NormMlpForward)

template <class T>
void norm_mlp_backward(const NormMlpBackwardOf<T>& p) {
  const auto [rows, channels, hidden, rows_per_clip] = p.at;
  const int c = as_int(channels), h = as_int(hidden);
  const PlainLayout layout;
  const Workspace<T> grads(rows * (hidden + channels));
  T *dz = grads.data(), *dnormed = dz + rows * hidden;
  const auto dy = gather(layout, Scaled<T>{p.dy, c, p.scale, Divisor(rows_per_clip)});
  fc_gradients<T>({rows, c, h, weight_of(p.w2, h), true, p.dw2, p.db2}, dy, gather(layout, Activated<T>{p.z, h}),
                  scatter(layout, GeluGradEpilogue<T>{p.z, dz, h}));
  fc_gradients<T>({rows, h, c, weight_of(p.w1, c), true, p.dw1, p.db1}, gather(layout, Dense<T>{dz, h}),
                  gather(layout, Normed<T>{p.x, c, p.mean, p.rstd, p.gamma, p.beta}),
                  scatter(layout, BiasEpilogue<T>{dnormed, c, nullptr, false}));
  norm_backward<T>({rows, c, p.x, p.gamma, p.mean, p.rstd, dnormed, p.dy, p.dx, p.dgamma, p.dbeta});
}
FOR_FLOATS(norm_mlp_backward, NormMlpBackward)

}  // namespace morphmlp::cuda
