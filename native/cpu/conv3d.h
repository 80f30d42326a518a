// The convolution by blocks, for what can be done to results while they are in cache.
#pragma once
#include <functional>

#include "cpu/isa.h"
#include "kernels/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

void conv3d_forward(const Conv3dForward& p);

// Without groups. finish(begin, end) follows once the rows of y of these positions are complete.
void conv3d_forward_blocks(const Conv3dForward& p, const std::function<void(int64_t, int64_t)>& finish);

}  // namespace morphmlp::MORPHMLP_ISA
