#include "ops/temporal_fc.h"

#include "cuda/gemm/mixed_fc.h"

namespace morphmlp::cuda {

template <class T>
void temporal_fc_forward(const TemporalFcForwardOf<T>& p) {
  const TemporalLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  mixed_fc<T>(layout, layout.rows, layout.length, Dense<T>{p.x, channels}, p.weight,
              PutBiased<T>{p.y, channels, p.bias, false});
}
FOR_FLOATS(temporal_fc_forward, TemporalFcForward)

template <class T>
void temporal_fc_backward(const TemporalFcBackwardOf<T>& p) {
  const TemporalLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  const Dense<T> x{p.x, channels}, dy{p.dy, channels};
  mixed_fc_gradients<T>(layout, layout.rows, layout.length, dy, x, {p.weight, p.dx != nullptr, p.dweight, p.dbias},
                        PutBiased<T>{p.dx, channels, nullptr, false});
}
FOR_FLOATS(temporal_fc_backward, TemporalFcBackward)

}  // namespace morphmlp::cuda
