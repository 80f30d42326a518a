#include "kernels/norm_temporal.h"

#include <optional>

#include "cuda/mixed_fc.h"
#include "cuda/norm_rows.h"

namespace morphmlp::cuda {
namespace {

int64_t tokens_of(const TemporalFcShape& at) { return at.clips * at.steps * at.positions; }

}  // namespace

void norm_temporal_forward(const NormTemporalForward& p) {
  const TemporalLayout layout(p.at);
  const int64_t tokens = tokens_of(p.at);
  const int channels = as_int(p.at.channels);
  std::optional<Workspace<float>> own;
  float* u = p.u ? p.u : own.emplace(tokens * channels).data();
  norm_statistics(p.x, tokens, channels, p.eps, p.mean, p.rstd);
  mixed_fc(layout, layout.rows, layout.length, Normed<float>{p.x, channels, p.mean, p.rstd, p.gamma, p.beta}, p.weight,
           PutBiased<float>{u, channels, p.bias, false});
  mixed_fc(PlainLayout{}, tokens, channels, Dense<float>{u, channels}, p.proj,
           PutResidual<float>{p.x, p.y, channels, p.proj_bias, nullptr, {}});
}

void norm_temporal_backward(const NormTemporalBackward& p) {
  const TemporalLayout layout(p.at);
  const int64_t tokens = tokens_of(p.at);
  const int channels = as_int(p.at.channels);
  const Workspace<float> grads(2 * tokens * channels);
  float *du = grads.data(), *dnormed = du + tokens * channels;
  const Dense<float> dy{p.dy, channels};
  mixed_fc_input_gradient(PlainLayout{}, tokens, channels, dy, p.proj, PutBiased<float>{du, channels, nullptr, false});
  mixed_fc_parameter_gradients(PlainLayout{}, tokens, channels, dy, Dense<float>{p.u, channels}, p.dproj, p.dproj_bias);
  const Dense<float> grad{du, channels};
  mixed_fc_input_gradient(layout, layout.rows, layout.length, grad, p.weight,
                          PutBiased<float>{dnormed, channels, nullptr, false});
  mixed_fc_parameter_gradients(layout, layout.rows, layout.length, grad,
                               Normed<float>{p.x, channels, p.mean, p.rstd, p.gamma, p.beta}, p.dweight, p.dbias);
  norm_backward<float>({tokens, channels, p.x, p.gamma, p.mean, p.rstd, dnormed, p.dy, p.dx, p.dgamma, p.dbeta});
}

}  // namespace morphmlp::cuda
