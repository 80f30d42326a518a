#include "ops/cumsum.h"

#include "cuda/numbers.h"

namespace morphmlp::cuda {
namespace {

// One thread sums one column.
template <class T>
struct Forward {
  CumsumForwardOf<T> p;
  __device__ void operator()(int64_t column) const {
    const int64_t first = column / p.inner * p.n * p.inner + column % p.inner;
    double sum = 0;
    for (int64_t j = 0; j < p.n; ++j) {
      const int64_t at = first + (p.reverse ? p.n - 1 - j : j) * p.inner;
      sum += load(p.x + at);
      store(p.y + at, static_cast<float>(sum));
    }
  }
};

}  // namespace

template <class T>
void cumsum_forward(const CumsumForwardOf<T>& p) {
  launch_each(p.outer * p.inner, Forward<T>{p});
}
FOR_FLOATS(cumsum_forward, CumsumForward)

}  // namespace morphmlp::cuda
