#include "ops/conv_norm.h"

#include "bindings/conv3d_shape.h"

namespace morphmlp {

template <class T>
void fill(Args& a, ConvNormForwardOf<T>& p) {
  p.at = read_conv3d_shape(a);
  const int64_t channels = p.at.out_channels;
  p.training = a.flag("training");
  p.gelu = a.flag("gelu");
  p.momentum = a.real("momentum");
  p.eps = a.real("eps");
  p.x = a.in("x", conv3d_inputs(p.at));
  p.weight = a.in_buffer("weight", conv3d_weights(p.at));
  p.bias = a.in_or_null("bias", channels);
  p.gamma = a.in("gamma", channels);
  p.beta = a.in("beta", channels);
  p.running_mean = a.out("running_mean", channels);
  p.running_var = a.out("running_var", channels);
  p.y = a.out("y", conv3d_outputs(p.at));
  p.u = a.out_or_null("u", conv3d_outputs(p.at));
  p.mean = a.out("mean", channels);
  p.rstd = a.out("rstd", channels);
}
READS_FLOATS(ConvNormForward)

}  // namespace morphmlp
