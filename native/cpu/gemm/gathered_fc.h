// The FC over row units that morph_fc and temporal_fc share: gather, multiply, scatter, a block of units at a time.
#pragma once
#include "cpu/gemm/packed_weight.h"
#include "cpu/gemm/morph_gather.h"

namespace morphmlp::MORPHMLP_ISA {

void unit_fc_forward(const RowUnits& at, const float* x, Buffer& weight, const float* bias, float* y);

// Any of the three results may be null.
void unit_fc_backward(const RowUnits& at, const float* x, Buffer& weight, const float* dy, float* dx, float* dweight,
                      float* dbias);

}  // namespace morphmlp::MORPHMLP_ISA
