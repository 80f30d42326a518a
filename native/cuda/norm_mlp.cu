#include "kernels/norm_mlp.h"

#include "cuda/column_sums.h"
#include "cuda/gemm.h"
#include "cuda/norm_rows.h"

namespace morphmlp::cuda {

void norm_mlp_forward(const NormMlpForward& p) {
  const auto [rows, channels, hidden, rows_per_clip] = p.at;
  const int c = as_int(channels), h = as_int(hidden);
  const PlainLayout layout;
  const Workspace<float> activated(rows * hidden);
  norm_statistics(p.x, rows, channels, p.eps, p.mean, p.rstd);
  const auto normed = gather(layout, Normed<float>{p.x, c, p.mean, p.rstd, p.gamma, p.beta});
  multiply(by_row(normed, rows), by_row(weight_of(p.w1, c), h), c,
           scatter(layout, PutActivated<float>{activated.data(), p.z, h, p.b1, true}));
  multiply(by_row(gather(layout, Dense<float>{activated.data(), h}), rows), by_row(weight_of(p.w2, h), c), h,
           scatter(layout, PutResidual<float>{p.x, p.y, c, p.b2, p.scale, Divisor(rows_per_clip)}));
}

void norm_mlp_backward(const NormMlpBackward& p) {
  const auto [rows, channels, hidden, rows_per_clip] = p.at;
  const int c = as_int(channels), h = as_int(hidden);
  const PlainLayout layout;
  const Workspace<float> grads(rows * (hidden + channels));
  float *dz = grads.data(), *dnormed = dz + rows * hidden;
  const auto dy = gather(layout, Scaled<float>{p.dy, c, p.scale, Divisor(rows_per_clip)});
  const auto grad = gather(layout, Dense<float>{dz, h});
  multiply(by_row(dy, rows), by_column(weight_of(p.w2, h), h), c, scatter(layout, PutGeluGradient<float>{p.z, dz, h}));
  weight_gradient(dy, gather(layout, Activated<float>{p.z, h}), rows, c, h, p.dw2);
  bias_gradient(dy, rows, c, p.db2);
  multiply(by_row(grad, rows), by_column(weight_of(p.w1, c), c), h,
           scatter(layout, PutBiased<float>{dnormed, c, nullptr, false}));
  const auto normed = gather(layout, Normed<float>{p.x, c, p.mean, p.rstd, p.gamma, p.beta});
  weight_gradient(grad, normed, rows, h, c, p.dw1);
  bias_gradient(grad, rows, h, p.db1);
  norm_backward<float>({rows, c, p.x, p.gamma, p.mean, p.rstd, dnormed, p.dy, p.dx, p.dgamma, p.dbeta});
}

}  // namespace morphmlp::cuda
