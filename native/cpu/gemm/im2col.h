// im2col for a block of output positions: row i of the matrix holds the inputs of one output position, so that the
// convolution is a GEMM. A row consists of filter rows, which are contiguous in the input. For channels-last inputs a
// filter row has kernel width * channels elements and the row order is [kt][kh][kw][c]; for planar inputs it has kernel
// width elements and the order is that of the weight, [c][kt][kh][kw].
#pragma once
#include "ops/conv3d.h"

namespace morphmlp::MORPHMLP_ISA {

inline int64_t filter_length(const Conv3dShape& at) {
  return at.in_channels * at.kernel[0] * at.kernel[1] * at.kernel[2];
}
inline int64_t filter_row_length(const Conv3dShape& at) { return at.kernel[2] * (at.planar ? 1 : at.in_channels); }
inline int64_t filter_rows(const Conv3dShape& at) {
  return at.kernel[0] * at.kernel[1] * (at.planar ? at.in_channels : 1);
}
inline int64_t positions_per_frame(const Conv3dShape& at) { return at.out[1] * at.out[2]; }
inline int64_t positions_per_clip(const Conv3dShape& at) { return at.out[0] * positions_per_frame(at); }

// Output positions [begin, end) and filter rows [first, last) of each.
struct Im2colBlock {
  int64_t begin, end, first, last;
};

// Writes rows[position - begin][(last - first) * filter_row_length]; padding is zero.
template <class T>
void im2col(const Conv3dShape& at, const T* x, const Im2colBlock& block, T* rows);

// Adds the rows to the elements of dx that im2col reads.
void col2im(const Conv3dShape& at, const float* rows, const Im2colBlock& block, float* dx);

}  // namespace morphmlp::MORPHMLP_ISA
