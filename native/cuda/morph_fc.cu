#include "kernels/morph_fc.h"

#include "cuda/mixed_fc.h"

namespace morphmlp::cuda {

template <class T>
void morph_fc_forward(const MorphFcForwardOf<T>& p) {
  const MorphLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  mixed_fc<T>(layout, layout.rows, layout.length, Dense<T>{p.x, channels}, p.weight,
              PutBiased<T>{p.y, channels, p.bias, false});
}
FOR_FLOATS(morph_fc_forward, MorphFcForward)

template <class T>
void morph_fc_backward(const MorphFcBackwardOf<T>& p) {
  const MorphLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  const Dense<T> x{p.x, channels}, dy{p.dy, channels};
  if (p.dx)
    mixed_fc_input_gradient<T>(layout, layout.rows, layout.length, dy, p.weight,
                               PutBiased<T>{p.dx, channels, nullptr, false});
  mixed_fc_parameter_gradients<T>(layout, layout.rows, layout.length, dy, x, p.dweight, p.dbias);
}
FOR_FLOATS(morph_fc_backward, MorphFcBackward)

}  // namespace morphmlp::cuda
