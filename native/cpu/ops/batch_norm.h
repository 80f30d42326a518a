// The two steps of BatchNorm, also used by conv_norm.
#pragma once
#include "cpu/isa.h"
#include "ops/batch_norm.h"

namespace morphmlp::MORPHMLP_ISA {

void batch_norm_forward(const BatchNormForward& p);

// Writes mean and rstd: of x in training, which also updates the running statistics; else the running statistics.
void batch_norm_statistics(const BatchNormForward& p);

// Normalises `rows` rows x to y by mean and rstd, with the optional GELU.
void batch_norm_rows(const BatchNormForward& p, const float* x, int64_t rows, float* y);

}  // namespace morphmlp::MORPHMLP_ISA
