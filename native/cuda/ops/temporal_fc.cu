#include "ops/temporal_fc.h"

#include "cuda/gemm/gathered_fc.h"

namespace morphmlp::cuda {

template <class T>
void temporal_fc_forward(const TemporalFcForwardOf<T>& p) {
  const TemporalLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  gathered_fc<T>(layout, layout.rows, layout.length, Dense<T>{p.x, channels}, p.weight,
                 BiasEpilogue<T>{p.y, channels, p.bias, false});
}
FOR_FLOATS(temporal_fc_forward, TemporalFcForward)

template <class T>
void temporal_fc_backward(const TemporalFcBackwardOf<T>& p) {
  const TemporalLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  const Dense<T> x{p.x, channels}, dy{p.dy, channels};
  gathered_fc_gradients<T>(layout, layout.rows, layout.length, dy, x, {p.weight, p.dx != nullptr, p.dweight, p.dbias},
                           BiasEpilogue<T>{p.dx, channels, nullptr, false});
}
FOR_FLOATS(temporal_fc_backward, TemporalFcBackward)

}  // namespace morphmlp::cuda
