#include "ops/conv_norm_parts.h"

#include "cpu/ops/batch_norm.h"
#include "cpu/ops/conv3d.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// With known statistics each block of positions is normalised while it is in cache. Not in place: a load that overlaps
// the masked store at the end of a row would stall.
template <class T>
void convolve_folded(const ConvNormForwardOf<T>& p) {
  const BatchNormForwardOf<T> norm = norm_of(p);
  batch_norm_statistics(norm);
  conv3d_forward_blocks(convolution_of(p), [&](int64_t begin, int64_t end, const float* rows) {
    batch_norm_rows(norm, rows, end - begin, norm.y + begin * norm.cols);
  });
}

}  // namespace

template <class T>
void conv_norm_forward(const ConvNormForwardOf<T>& p) {
  if (!p.training && !p.u && p.at.groups == 1) return convolve_folded(p);
  conv3d_forward(convolution_of(p));
  batch_norm_forward(norm_of(p));
}
FOR_FLOATS(conv_norm_forward, ConvNormForward)

}  // namespace morphmlp::MORPHMLP_ISA
