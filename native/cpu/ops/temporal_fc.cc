#include "ops/temporal_fc.h"

#include "cpu/gemm/gathered_fc.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

MorphLayout layout_of(const TemporalFcShape& at) {
  return temporal_layout(at.clips, at.steps, at.positions, at.channels, at.groups);
}

}  // namespace

template <class T>
void temporal_fc_forward(const TemporalFcForwardOf<T>& p) {
  gathered_fc_forward(layout_of(p.at), p.x, *p.weight, p.bias, p.y);
}
FOR_FLOATS(temporal_fc_forward, TemporalFcForward)

template <class T>
void temporal_fc_backward(const TemporalFcBackwardOf<T>& p) {
  gathered_fc_backward(layout_of(p.at), p.x, *p.weight, p.dy, p.dx, p.dweight, p.dbias);
}
FOR_FLOATS(temporal_fc_backward, TemporalFcBackward)

}  // namespace morphmlp::MORPHMLP_ISA
