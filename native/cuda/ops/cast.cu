#include "ops/cast.h"

#include "cuda/vectorized.h"

namespace morphmlp::cuda {
namespace {

template <class From, class To>
struct Cast {
  const From* x;
  To* y;
  template <int N>
  __device__ void run(int64_t i) const {
    store(y + i, load<N>(x + i));
  }
};

}  // namespace

void cast_to_bf16(const CastToBf16& p) {
  launch_vectorized<kVecSize<Bf16>>(p.n, aligned(p.x, p.y), Cast<float, Bf16>{p.x, p.y});
}
void cast_to_f32(const CastToF32& p) {
  launch_vectorized<kVecSize<Bf16>>(p.n, aligned(p.x, p.y), Cast<Bf16, float>{p.x, p.y});
}

}  // namespace morphmlp::cuda
