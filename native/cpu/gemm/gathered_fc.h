// FC over the gathered rows of a MorphLayout, shared by morph_fc and temporal_fc. Gathers, multiplies and scatters one
// block of chunks at a time.
#pragma once
#include "cpu/gemm/morph_gather.h"
#include "cpu/gemm/packed_weight.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void gathered_fc_forward(const MorphLayout& at, const T* x, Buffer& weight, const float* bias, T* y);

// dx, dweight and dbias may each be null.
template <class T>
void gathered_fc_backward(const MorphLayout& at, const T* x, Buffer& weight, const T* dy, T* dx, float* dweight,
                          float* dbias);

}  // namespace morphmlp::MORPHMLP_ISA
