#include "kernels/accumulate.h"

#include "cuda/numbers.h"

namespace morphmlp::cuda {
namespace {

template <bool kAdd, class T>
struct Accumulate {
  const T* from;
  T* into;
  __device__ void operator()(int64_t i) const {
    const float value = load(from + i);
    store(into + i, kAdd ? load(into + i) + value : value);
  }
};

}  // namespace

template <class T>
void accumulate_forward(const AccumulateForwardOf<T>& p) {
  launch_each(p.n, Accumulate<true, T>{p.from, p.into});
}
FOR_FLOATS(accumulate_forward, AccumulateForward)
template <class T>
void accumulate_copy(const AccumulateCopyOf<T>& p) {
  launch_each(p.n, Accumulate<false, T>{p.from, p.into});
}
FOR_FLOATS(accumulate_copy, AccumulateCopy)

}  // namespace morphmlp::cuda
