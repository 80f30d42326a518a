#include "kernels/morph_fc.h"

#include "cuda/mixed_fc.h"

namespace morphmlp::cuda {

void morph_fc_forward(const MorphFcForward& p) {
  const MorphLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  mixed_fc(layout, layout.rows, layout.length, Dense<float>{p.x, channels}, p.weight,
           PutBiased<float>{p.y, channels, p.bias, false});
}

void morph_fc_backward(const MorphFcBackward& p) {
  const MorphLayout layout(p.at);
  const int channels = as_int(p.at.channels);
  const Dense<float> x{p.x, channels}, dy{p.dy, channels};
  if (p.dx)
    mixed_fc_input_gradient(layout, layout.rows, layout.length, dy, p.weight,
                            PutBiased<float>{p.dx, channels, nullptr, false});
  mixed_fc_parameter_gradients(layout, layout.rows, layout.length, dy, x, p.dweight, p.dbias);
}

}  // namespace morphmlp::cuda
