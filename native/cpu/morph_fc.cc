#include "kernels/morph_fc.h"

#include "cpu/unit_fc.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

RowUnits units(const MorphFcShape& at) {
  return spatial_units(at.frames, at.height, at.width, at.channels, at.chunk, at.vertical, at.strided);
}

}  // namespace

void morph_fc_forward(const MorphFcForward& p) { unit_fc_forward(units(p.at), p.x, *p.weight, p.bias, p.y); }

void morph_fc_backward(const MorphFcBackward& p) {
  unit_fc_backward(units(p.at), p.x, *p.weight, p.dy, p.dx, p.dweight, p.dbias);
}

}  // namespace morphmlp::MORPHMLP_ISA
