// FC over gathered rows, shared by morph_fc, temporal_fc and the fused ops: forward, and the gradients of input, weight
// and bias.
#pragma once
#include "cuda/gemm/fc_gradients.h"

namespace morphmlp::cuda {

// Computes the FC of the rows; weight is [length, length].
template <class T, class Layout, class Tokens, class Epilogue>
void gathered_fc(const Layout& layout, int64_t rows, int64_t length, const Tokens& tokens, const Buffer* weight,
                 const Epilogue& epilogue) {
  multiply<T>(by_row(gather(layout, tokens), rows), by_row(weight_of(weight, length), length), length,
              scatter(layout, epilogue));
}

// Requested gradients: of the input where `dx`, of the parameters where not null.
struct GatheredFcBackward {
  const Buffer* weight;
  bool dx;
  float *dweight, *dbias;
};

// Computes the requested gradients from `grad`, that of the FC's results.
template <class T, class Layout, class Grad, class Tokens, class Epilogue>
void gathered_fc_gradients(const Layout& layout, int64_t rows, int64_t length, const Grad& grad, const Tokens& tokens,
                           const GatheredFcBackward& p, const Epilogue& epilogue) {
  fc_gradients<T>({rows, length, length, weight_of(p.weight, length), p.dx, p.dweight, p.dbias}, gather(layout, grad),
                  gather(layout, tokens), scatter(layout, epilogue));
}

}  // namespace morphmlp::cuda
