#include "bindings/conv3d_shape.h"

namespace morphmlp {
namespace {

void read_three(Args& a, const char* name, int64_t (&out)[3]) {
  for (int64_t& value : out) value = a.size(name);
}

}  // namespace

Conv3dShape read_conv3d_shape(Args& a) {
  Conv3dShape at{};
  at.batch = a.size("batch");
  at.in_channels = a.size("in_channels");
  at.out_channels = a.size("out_channels");
  at.groups = a.size("groups");
  read_three(a, "in", at.in);
  read_three(a, "kernel", at.kernel);
  read_three(a, "stride", at.stride);
  read_three(a, "padding", at.padding);
  int64_t behind[3];
  read_three(a, "padding_behind", behind);
  at.planar = a.flag("planar");
  if (at.in_channels < 1 || at.out_channels < 1) a.reject("no channels");
  if (at.groups < 1 || at.in_channels % at.groups != 0 || at.out_channels % at.groups != 0)
    a.reject("channels must be multiples of groups");
  if (at.groups > 1 && at.planar) a.reject("groups need channels last");
  for (int i = 0; i < 3; ++i) {
    const int64_t room = at.in[i] + at.padding[i] + behind[i] - at.kernel[i];
    if (at.kernel[i] < 1 || at.stride[i] < 1 || room < 0) a.reject("the kernel does not fit the padded input");
    at.out[i] = room / at.stride[i] + 1;
  }
  return at;
}

int64_t conv3d_inputs(const Conv3dShape& at) { return count({at.batch, at.in_channels, at.in[0], at.in[1], at.in[2]}); }
int64_t conv3d_outputs(const Conv3dShape& at) {
  return count({at.batch, at.out_channels, at.out[0], at.out[1], at.out[2]});
}
int64_t conv3d_weights(const Conv3dShape& at) {
  return count({at.out_channels, at.in_channels / at.groups, at.kernel[0], at.kernel[1], at.kernel[2]});
}

template <class T>
void fill(Args& a, Conv3dForwardOf<T>& p) {
  p.at = read_conv3d_shape(a);
  p.x = a.in("x", conv3d_inputs(p.at));
  p.weight = a.in_buffer("weight", conv3d_weights(p.at));
  p.bias = a.in_or_null("bias", p.at.out_channels);
  p.y = a.out("y", conv3d_outputs(p.at));
}
READS_FLOATS(Conv3dForward)

template <class T>
void fill(Args& a, Conv3dBackwardOf<T>& p) {
  p.at = read_conv3d_shape(a);
  p.x = a.in("x", conv3d_inputs(p.at));
  p.weight = a.in_buffer("weight", conv3d_weights(p.at));
  p.dy = a.in("dy", conv3d_outputs(p.at));
  p.dx = a.out_or_null("dx", conv3d_inputs(p.at));
  p.dweight = a.out("dweight", conv3d_weights(p.at));
  p.dbias = a.out("dbias", p.at.out_channels);
}
READS_FLOATS(Conv3dBackward)

}  // namespace morphmlp
