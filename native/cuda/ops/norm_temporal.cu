#include "ops/norm_temporal.h"

#include <optional>

#include "cuda/gemm/gathered_fc.h"
#include "cuda/ops/norm_rows.h"

namespace morphmlp::cuda {
namespace {

int64_t tokens_of(const TemporalFcShape& at) { return at.clips * at.steps * at.positions; }

}  // namespace

template <class T>
void norm_temporal_forward(const NormTemporalForwardOf<T>& p) {
  const TemporalLayout layout(p.at);
  const int64_t tokens = tokens_of(p.at);
  const int channels = as_int(p.at.channels);
  std::optional<Workspace<T>> own;
  T* u = p.u ? p.u : own.emplace(tokens * channels).data();
  norm_statistics(p.x, tokens, channels, p.eps, p.mean, p.rstd);
  gathered_fc<T>(layout, layout.rows, layout.length, Normed<T>{p.x, channels, p.mean, p.rstd, p.gamma, p.beta},
                 p.weight, BiasEpilogue<T>{u, channels, p.bias, false});
  gathered_fc<T>(PlainLayout{}, tokens, channels, Dense<T>{u, channels}, p.proj,
                 ResidualEpilogue<T>{p.x, p.y, channels, p.proj_bias, nullptr, {}});
}
FOR_FLOATS(norm_temporal_forward, NormTemporalForward)

template <class T>
void norm_temporal_backward(const NormTemporalBackwardOf<T>& p) {
  const TemporalLayout layout(p.at);
  const int64_t tokens = tokens_of(p.at);
  const int channels = as_int(p.at.channels);
  const Workspace<T> grads(2 * tokens * channels);
  T *du = grads.data(), *dnormed = du + tokens * channels;
  const Dense<T> dy{p.dy, channels};
  gathered_fc_gradients<T>(PlainLayout{}, tokens, channels, dy, Dense<T>{p.u, channels},
                           {p.proj, true, p.dproj, p.dproj_bias}, BiasEpilogue<T>{du, channels, nullptr, false});
  gathered_fc_gradients<T>(layout, layout.rows, layout.length, Dense<T>{du, channels},
                           Normed<T>{p.x, channels, p.mean, p.rstd, p.gamma, p.beta},
                           {p.weight, true, p.dweight, p.dbias}, BiasEpilogue<T>{dnormed, channels, nullptr, false});
  norm_backward<T>({tokens, channels, p.x, p.gamma, p.mean, p.rstd, dnormed, p.dy, p.dx, p.dgamma, p.dbeta});
}
FOR_FLOATS(norm_temporal_backward, NormTemporalBackward)

}  // namespace morphmlp::cuda
