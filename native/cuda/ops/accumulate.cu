#include "ops/accumulate.h"

#include "cuda/vectorized.h"

namespace morphmlp::cuda {
namespace {

template <bool kAdd, class T>
struct Accumulate {
  const T* from;
  T* into;
  template <int N>
  __device__ void run(int64_t i) const {
    Vec<N> value = load<N>(from + i);
    if constexpr (kAdd) {
      const Vec<N> sum = load<N>(into + i);
      for (int j = 0; j < N; ++j) value.at[j] = sum.at[j] + value.at[j];
    }
    store(into + i, value);
  }
};

}  // namespace

template <class T>
void accumulate_forward(const AccumulateForwardOf<T>& p) {
  launch_vectorized<kVecSize<T>>(p.n, aligned(p.from, p.into), Accumulate<true, T>{p.from, p.into});
}
FOR_FLOATS(accumulate_forward, AccumulateForward)
template <class T>
void accumulate_copy(const AccumulateCopyOf<T>& p) {
  launch_vectorized<kVecSize<T>>(p.n, aligned(p.from, p.into), Accumulate<false, T>{p.from, p.into});
}
FOR_FLOATS(accumulate_copy, AccumulateCopy)

}  // namespace morphmlp::cuda
