// Grouped convolution: conv3d.cc calls these if groups > 1.
#pragma once
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

void grouped_conv3d_forward(const Conv3dForward& p);
void grouped_conv3d_backward(const Conv3dBackward& p);

}  // namespace morphmlp::MORPHMLP_ISA
