#include "ops/morph_fc.h"

#include "cpu/gemm/gathered_fc.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

MorphLayout layout_of(const MorphFcShape& at) {
  MorphLayout layout = spatial_layout(at.frames, at.height, at.width, at.channels, at.chunk, at.vertical, at.strided);
  layout.groups = at.groups;
  layout.group_channels = at.channels / at.groups;
  return layout;
}

}  // namespace

template <class T>
void morph_fc_forward(const MorphFcForwardOf<T>& p) {
  gathered_fc_forward(layout_of(p.at), p.x, *p.weight, p.bias, p.y);
}
FOR_FLOATS(morph_fc_forward, MorphFcForward)

template <class T>
void morph_fc_backward(const MorphFcBackwardOf<T>& p) {
  gathered_fc_backward(layout_of(p.at), p.x, *p.weight, p.dy, p.dx, p.dweight, p.dbias);
}
FOR_FLOATS(morph_fc_backward, MorphFcBackward)

}  // namespace morphmlp::MORPHMLP_ISA
