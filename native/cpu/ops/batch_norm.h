// The two steps of a BatchNorm.
#pragma once
#include "cpu/isa.h"
#include "ops/batch_norm.h"

namespace morphmlp::MORPHMLP_ISA {

void batch_norm_forward(const BatchNormForward& p);

// Writes mean and rstd; in training these are of x, and the running statistics move.
void batch_norm_statistics(const BatchNormForward& p);

// y from so many rows x, by mean and rstd.
void batch_norm_rows(const BatchNormForward& p, const float* x, int64_t rows, float* y);

}  // namespace morphmlp::MORPHMLP_ISA
