#include "kernels/mean_pool.h"

#include "cuda/column_sums.h"

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

  __device__ void operator()(int64_t i) const {
    const int64_t clip = i / (p.tokens * p.channels);
    store(p.dx + i, share * p.dy[clip * p.channels + i % p.channels]);
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
  launch_each(p.clips * p.tokens * p.channels, Backward<T>{p, 1.0f / static_cast<float>(p.tokens)});
}
FOR_FLOATS(mean_pool_backward, MeanPoolBackward)

}  // namespace morphmlp::cuda
