// The convolution by blocks, for what can be done to results while they are in cache.
#pragma once
#include <functional>

#include "cpu/isa.h"
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

void conv3d_forward(const Conv3dForward& p);

// Of positions begin .. end - 1, the rows of results.
using TakeBlock = std::function<void(int64_t begin, int64_t end, const float* rows)>;

// Without groups, and in place of y.
void conv3d_forward_blocks(const Conv3dForward& p, const TakeBlock& take);

}  // namespace morphmlp::MORPHMLP_ISA
