// An FC over gathered rows, which morph_fc, temporal_fc and the fused kernels share: forward, and the gradients of what
// was gathered, of weight and bias.
#pragma once
#include "cuda/gemm/fc_gradients.h"

namespace morphmlp::cuda {

// put(FC of the rows): weight is [length, length].
template <class T, class Layout, class Tokens, class Epilogue>
void gathered_fc(const Layout& layout, int64_t rows, int64_t length, const Tokens& tokens, const Buffer* weight,
                 const Epilogue& epilogue) {
  multiply<T>(by_row(gather(layout, tokens), rows), by_row(weight_of(weight, length), length), length,
              scatter(layout, epilogue));
}

// Which gradients are wanted: that of the rows' numbers, and those of the parameters that are not null.
struct GatheredFcBackward {
  const Buffer* weight;
  bool dx;
  float *dweight, *dbias;
};

// put(the gradient of the rows' numbers) from that of the FC's results, and those of the parameters.
template <class T, class Layout, class Grad, class Tokens, class Epilogue>
void gathered_fc_gradients(const Layout& layout, int64_t rows, int64_t length, const Grad& grad, const Tokens& tokens,
                           const GatheredFcBackward& p, const Epilogue& epilogue) {
  fc_gradients<T>({rows, length, length, weight_of(p.weight, length), p.dx, p.dweight, p.dbias}, gather(layout, grad),
                  gather(layout, tokens), scatter(layout, epilogue));
}

}  // namespace morphmlp::cuda
