// The two steps of a BatchNorm.
#pragma once
#include "cpu/isa.h"
#include "kernels/batch_norm.h"

namespace morphmlp::MORPHMLP_ISA {

void batch_norm_forward(const BatchNormForward& p);

// Writes mean and rstd; in training these are of x, and the running statistics move.
void batch_norm_statistics(const BatchNormForward& p);

// Rows begin .. end - 1 of y, by mean and rstd; x may be y.
void batch_norm_rows(const BatchNormForward& p, int64_t begin, int64_t end);

}  // namespace morphmlp::MORPHMLP_ISA
