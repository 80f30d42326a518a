// The patches of a convolution as rows (im2col), a block of output positions at a time: what makes it a matrix product.
// A row holds the taps of one output position, channels innermost for channels-last inputs, in the weight's own order
// for planar ones.
#pragma once
#include "kernels/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

inline int64_t patch_length(const Conv3dShape& at) {
  return at.in_channels * at.kernel[0] * at.kernel[1] * at.kernel[2];
}
inline int64_t positions_a_frame(const Conv3dShape& at) { return at.out[1] * at.out[2]; }
inline int64_t positions_a_clip(const Conv3dShape& at) { return at.out[0] * positions_a_frame(at); }

// rows[(position - begin)][patch_length] for output positions [begin, end); padding gives zeros.
void gather_patches(const Conv3dShape& at, const float* x, int64_t begin, int64_t end, float* rows);

// The reverse, adding: dx += the rows' contributions. Channels-last inputs only.
void scatter_patches(const Conv3dShape& at, const float* rows, int64_t begin, int64_t end, float* dx);

}  // namespace morphmlp::MORPHMLP_ISA
