#include "kernels/cast.h"

#include "cuda/numbers.h"

namespace morphmlp::cuda {
namespace {

template <class From, class To>
struct Cast {
  const From* x;
  To* y;
  __device__ void operator()(int64_t i) const { store(y + i, load(x + i)); }
};

}  // namespace

void cast_to_bf16(const CastToBf16& p) { launch_each(p.n, Cast<float, Bf16>{p.x, p.y}); }
void cast_to_f32(const CastToF32& p) { launch_each(p.n, Cast<Bf16, float>{p.x, p.y}); }

}  // namespace morphmlp::cuda
