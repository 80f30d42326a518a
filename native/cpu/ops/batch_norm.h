// The two steps of BatchNorm, also used by conv_norm.
#pragma once
#include "cpu/isa.h"
#include "ops/batch_norm.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void batch_norm_forward(const BatchNormForwardOf<T>& p);

// Writes mean and rstd: of x in training, which also updates the running statistics; else the running statistics.
template <class T>
void batch_norm_statistics(const BatchNormForwardOf<T>& p);

// Normalises `rows` rows x, of T or float, to y by mean and rstd, with the optional GELU.
template <class T, class X>
void batch_norm_rows(const BatchNormForwardOf<T>& p, const X* x, int64_t rows, T* y);

}  // namespace morphmlp::MORPHMLP_ISA
