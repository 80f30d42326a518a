// Grouped convolution: conv3d.cc calls these if groups > 1.
#pragma once
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

void grouped_conv3d_forward(const Conv3dForward& p);
void grouped_conv3d_backward(const Conv3dBackward& p);

// In bf16 by way of f32: the operands are copied, weights rounded, and the results rounded once.
void grouped_conv3d_forward(const Conv3dForwardOf<Bf16>& p);
void grouped_conv3d_backward(const Conv3dBackwardOf<Bf16>& p);

}  // namespace morphmlp::MORPHMLP_ISA
