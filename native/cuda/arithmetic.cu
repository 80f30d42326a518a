#include "kernels/arithmetic.h"

#include "cuda/numbers.h"

namespace morphmlp::cuda {
namespace {

struct Dims {
  int64_t size[kMaxDims];
};

Dims dims_of(const int64_t (&from)[kMaxDims]) {
  Dims d;
  std::copy(from, from + kMaxDims, d.size);
  return d;
}

int64_t product(const int64_t (&dims)[kMaxDims]) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  return n;
}

// The offset of index `at`, row-major, under the strides.
__device__ int64_t offset_of(int64_t at, const Dims& dims, const Dims& strides) {
  int64_t offset = 0;
  for (int i = kMaxDims - 1; i >= 0; --i) {
    offset += at % dims.size[i] * strides.size[i];
    at /= dims.size[i];
  }
  return offset;
}

template <class T>
struct Forward {
  int64_t kind;
  Dims dims, stride_a, stride_b;
  const T *a, *b;
  T* y;

  __device__ void operator()(int64_t i) const {
    const float x = load(a + offset_of(i, dims, stride_a)), z = load(b + offset_of(i, dims, stride_b));
    store(y + i, kind == 0 ? x + z : kind == 1 ? x - z : kind == 2 ? x * z : x / z);
  }
};

// A block for each sum.
template <class T>
struct Reduce {
  static constexpr int kThreads = 256;
  struct Shared {
    double warps[kThreads / kWarpSize];
  };
  Dims kept, kept_stride, reduced, reduced_stride;
  int64_t count;
  const T* x;
  T* y;

  __device__ void operator()(Shared& shared) const {
    const T* from = x + offset_of(blockIdx.x, kept, kept_stride);
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += load(from + offset_of(i, reduced, reduced_stride));
    sum = block_sum<kThreads>(sum, shared.warps);
    if (threadIdx.x == 0) store(y + blockIdx.x, static_cast<float>(sum));
  }
};

}  // namespace

template <class T>
void arithmetic_forward(const ArithmeticForwardOf<T>& p) {
  launch_each(product(p.dims),
              Forward<T>{p.kind, dims_of(p.dims), dims_of(p.stride_a), dims_of(p.stride_b), p.a, p.b, p.y});
}
FOR_FLOATS(arithmetic_forward, ArithmeticForward)

template <class T>
void arithmetic_reduce(const ArithmeticReduceOf<T>& p) {
  launch({product(p.kept)}, Reduce<T>{dims_of(p.kept), dims_of(p.kept_stride), dims_of(p.reduced),
                                      dims_of(p.reduced_stride), product(p.reduced), p.x, p.y});
}
FOR_FLOATS(arithmetic_reduce, ArithmeticReduce)

}  // namespace morphmlp::cuda
