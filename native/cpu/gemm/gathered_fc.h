// FC over the gathered rows of a MorphLayout, shared by morph_fc and temporal_fc. Gathers, multiplies and scatters one
// block of chunks at a time.
#pragma once
#include "cpu/gemm/morph_gather.h"
#include "cpu/gemm/packed_weight.h"

namespace morphmlp::MORPHMLP_ISA {

void gathered_fc_forward(const MorphLayout& at, const float* x, Buffer& weight, const float* bias, float* y);

// dx, dweight and dbias may each be null.
void gathered_fc_backward(const MorphLayout& at, const float* x, Buffer& weight, const float* dy, float* dx,
                          float* dweight, float* dbias);

}  // namespace morphmlp::MORPHMLP_ISA
