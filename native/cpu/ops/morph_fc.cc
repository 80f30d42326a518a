#include "ops/morph_fc.h"

#include "cpu/gemm/gathered_fc.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

RowUnits units(const MorphFcShape& at) {
  RowUnits units = spatial_units(at.frames, at.height, at.width, at.channels, at.chunk, at.vertical, at.strided);
  units.groups = at.groups;
  units.run = at.channels / at.groups;
  return units;
}

}  // namespace

void morph_fc_forward(const MorphFcForward& p) { unit_fc_forward(units(p.at), p.x, *p.weight, p.bias, p.y); }

void morph_fc_backward(const MorphFcBackward& p) {
  unit_fc_backward(units(p.at), p.x, *p.weight, p.dy, p.dx, p.dweight, p.dbias);
}

}  // namespace morphmlp::MORPHMLP_ISA
