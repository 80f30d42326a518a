#include "ops/mean_pool.h"

#include "cuda/epilogue/column_sums.h"
#include "cuda/vectorized.h"

namespace morphmlp::cuda {
namespace {

template <class T>
struct Forward {
  static constexpr int kSums = 1;
  MeanPoolForwardOf<T> p;

  __device__ void add(int clip, int64_t token, int c, float (&sum)[1]) const {
    const int64_t at = (clip * p.tokens + token) * p.channels + c;
    for (int64_t i = 0; i < p.inputs; ++i) sum[0] += load(p.x[i] + at);
  }
  __device__ void finish(int clip, int c, const double (&sum)[1]) const {
    p.y[clip * p.channels + c] = static_cast<float>(sum[0] / static_cast<double>(p.tokens));
  }
};

template <class T>
struct Backward {
  MeanPoolBackwardOf<T> p;
  float share;

  template <int N>
  __device__ void run(int clip, int64_t begin, int64_t end, int c) const {
    Vec<N> grad = load<N>(p.dy + clip * p.channels + c);
    for (float& v : grad.at) v *= share;
    for (int64_t token = begin; token < end; ++token) store(p.dx + (clip * p.tokens + token) * p.channels + c, grad);
  }
};

}  // namespace

template <class T>
void mean_pool_forward(const MeanPoolForwardOf<T>& p) {
  column_sums(p.clips, p.tokens, p.channels, Forward<T>{p});
}
FOR_FLOATS(mean_pool_forward, MeanPoolForward)

template <class T>
void mean_pool_backward(const MeanPoolBackwardOf<T>& p) {
  launch_vectorized_columns<kVecSize<T>>(p.clips, p.tokens, p.channels, aligned(p.dy, p.dx),
                                         Backward<T>{p, 1.0f / static_cast<float>(p.tokens)});
}
FOR_FLOATS(mean_pool_backward, MeanPoolBackward)

}  // namespace morphmlp::cuda
