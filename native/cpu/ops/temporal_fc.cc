#include "ops/temporal_fc.h"

#include "cpu/gemm/gathered_fc.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

RowUnits units(const TemporalFcShape& at) {
  return temporal_units(at.clips, at.steps, at.positions, at.channels, at.groups);
}

}  // namespace

void temporal_fc_forward(const TemporalFcForward& p) { unit_fc_forward(units(p.at), p.x, *p.weight, p.bias, p.y); }

void temporal_fc_backward(const TemporalFcBackward& p) {
  unit_fc_backward(units(p.at), p.x, *p.weight, p.dy, p.dx, p.dweight, p.dbias);
}

}  // namespace morphmlp::MORPHMLP_ISA
