#include "ops/mean_pool.h"

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void mean_pool_forward(const MeanPoolForwardOf<T>& p) {
  const int64_t c = p.channels;
  for (int64_t clip = 0; clip < p.clips; ++clip) {
    float* y = p.y + clip * c;
    sum_over_rows(p.tokens, c, y, [&](int64_t begin, int64_t end, float* partial) {
      for (int64_t row = clip * p.tokens + begin; row < clip * p.tokens + end; ++row)
        for (int64_t i = 0; i < p.inputs; ++i) add_row(partial, p.x[i] + row * c, c);
    });
    for (int64_t i = 0; i < c; ++i) y[i] /= static_cast<float>(p.tokens);
  }
}
FOR_FLOATS(mean_pool_forward, MeanPoolForward)

template <class T>
void mean_pool_backward(const MeanPoolBackwardOf<T>& p) {
  const V share = set1(1.0f / static_cast<float>(p.tokens));
  for_blocks(p.clips * p.tokens, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* dy = p.dy + row / p.tokens * p.channels;
      T* dx = p.dx + row * p.channels;
      for_lanes(p.channels, [&](int64_t i, auto get, auto put) { put(dx + i, mul(share, get(dy + i))); });
    }
  });
}
FOR_FLOATS(mean_pool_backward, MeanPoolBackward)

}  // namespace morphmlp::MORPHMLP_ISA
