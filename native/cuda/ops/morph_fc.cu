#include "ops/morph_fc.h"

#include "cuda/gemm/mixed_fc.h"

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
  mixed_fc_gradients<T>(layout, layout.rows, layout.length, dy, x, {p.weight, p.dx != nullptr, p.dweight, p.dbias},
                        PutBiased<T>{p.dx, channels, nullptr, false});
}
FOR_FLOATS(morph_fc_backward, MorphFcBackward)

}  // namespace morphmlp::cuda
