// Convolution with an epilogue that runs on each block of results while it is in cache.
#pragma once
#include <functional>

#include "cpu/isa.h"
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void conv3d_forward(const Conv3dForwardOf<T>& p);

// Receives the results of positions [begin, end), row-major [position][out_channels].
using BlockEpilogue = std::function<void(int64_t begin, int64_t end, const float* rows)>;

// Passes the results to `epilogue` instead of writing p.y. p.at.groups must be 1.
template <class T>
void conv3d_forward_blocks(const Conv3dForwardOf<T>& p, const BlockEpilogue& epilogue);

}  // namespace morphmlp::MORPHMLP_ISA
