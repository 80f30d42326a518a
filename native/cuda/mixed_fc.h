// The three products of an FC over gathered rows, which morph_fc, temporal_fc and the fused kernels share: forward, the
// gradient of what was gathered, and the gradients of weight and bias.
#pragma once
#include "cuda/column_sums.h"
#include "cuda/gemm.h"

namespace morphmlp::cuda {

// put(FC of the rows): weight is [length, length].
template <class T, class Layout, class Tokens, class Put>
void mixed_fc(const Layout& layout, int64_t rows, int64_t length, const Tokens& tokens, const Buffer* weight,
              const Put& put) {
  multiply<T>(by_row(gather(layout, tokens), rows), by_row(weight_of(weight, length), length), length,
              scatter(layout, put));
}

// put(the gradient of the rows' numbers) from that of the FC's results.
template <class T, class Layout, class Grad, class Put>
void mixed_fc_input_gradient(const Layout& layout, int64_t rows, int64_t length, const Grad& grad, const Buffer* weight,
                             const Put& put) {
  multiply<T>(by_row(gather(layout, grad), rows), by_column(weight_of(weight, length), length), length,
              scatter(layout, put));
}

// Gradients that nobody asked for are null.
template <class T, class Layout, class Grad, class Tokens>
void mixed_fc_parameter_gradients(const Layout& layout, int64_t rows, int64_t length, const Grad& grad,
                                  const Tokens& tokens, float* dweight, float* dbias) {
  if (dweight) weight_gradient<T>(gather(layout, grad), gather(layout, tokens), rows, length, length, dweight);
  bias_gradient(gather(layout, grad), rows, length, dbias);
}

}  // namespace morphmlp::cuda
