// The patches of a convolution as rows (im2col), a block of output positions at a time: what makes it a matrix product.
// A row holds the taps of one output position as lines of neighbours in memory: for channels-last inputs a line is the
// kernel's width times the channels, in the order [kt][kh][kw][c]; for planar inputs it is the kernel's width, in the
// weight's own order [c][kt][kh][kw].
#pragma once
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

inline int64_t patch_length(const Conv3dShape& at) {
  return at.in_channels * at.kernel[0] * at.kernel[1] * at.kernel[2];
}
inline int64_t line_length(const Conv3dShape& at) { return at.kernel[2] * (at.planar ? 1 : at.in_channels); }
inline int64_t line_count(const Conv3dShape& at) {
  return at.kernel[0] * at.kernel[1] * (at.planar ? at.in_channels : 1);
}
inline int64_t positions_a_frame(const Conv3dShape& at) { return at.out[1] * at.out[2]; }
inline int64_t positions_a_clip(const Conv3dShape& at) { return at.out[0] * positions_a_frame(at); }

// Output positions [begin, end), and of their patches the lines [first, last).
struct PatchBlock {
  int64_t begin, end, first, last;
};

// rows[position - begin][(last - first) * line_length]; padding gives zeros.
void gather_patches(const Conv3dShape& at, const float* x, const PatchBlock& block, float* rows);

// The reverse, adding: dx += the rows' contributions.
void scatter_patches(const Conv3dShape& at, const float* rows, const PatchBlock& block, float* dx);

}  // namespace morphmlp::MORPHMLP_ISA
