#include "ops/arithmetic.h"

#include "cuda/vectorized.h"
#include "ops/pointwise_functions.h"

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

// Offset of the row-major index `at` under the strides.
__device__ int64_t offset_of(int64_t at, const Dims& dims, const Dims& strides) {
  int64_t offset = 0;
  for (int i = kMaxDims - 1; i >= 0; --i) {
    offset += at % dims.size[i] * strides.size[i];
    at /= dims.size[i];
  }
  return offset;
}

// A function, or one of its derivatives: `function` is kind * 3 + slope.
__device__ float result(int64_t function, float a, float b) {
  switch (function) {
#define CASE(name, value, slope_a, slope_b) \
  case k_binary_##name * 3:                 \
    return value;                           \
  case k_binary_##name * 3 + 1:             \
    return slope_a;                         \
  case k_binary_##name * 3 + 2:             \
    return slope_b;
    ARITHMETIC_FUNCTIONS(CASE)
#undef CASE
  }
  return 0;
}

template <class T>
struct Forward {
  int64_t function;
  Dims dims, stride_a, stride_b;
  const T *a, *b;
  T* y;

  __device__ void operator()(int64_t i) const {
    store(y + i, result(function, load(a + offset_of(i, dims, stride_a)), load(b + offset_of(i, dims, stride_b))));
  }
};

// Both operands dense and of one shape.
template <class T>
struct Alike {
  int64_t function;
  const T *a, *b;
  T* y;

  template <int N>
  __device__ void run(int64_t i) const {
    Vec<N> x = load<N>(a + i);
    const Vec<N> z = load<N>(b + i);
    for (int j = 0; j < N; ++j) x.at[j] = result(function, x.at[j], z.at[j]);
    store(y + i, x);
  }
};

// Whether the tensor is dense in the order of the result.
bool is_dense(const int64_t (&dims)[kMaxDims], const int64_t (&strides)[kMaxDims]) {
  int64_t dense = 1;
  for (int i = kMaxDims - 1; i >= 0; dense *= dims[i--])
    if (dims[i] != 1 && strides[i] != dense) return false;
  return true;
}

// One block computes one sum.
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

template <class T>
struct Copy {
  Dims dims, stride_x, stride_y;
  const T* x;
  T* y;

  __device__ void operator()(int64_t i) const { y[offset_of(i, dims, stride_y)] = x[offset_of(i, dims, stride_x)]; }
};

}  // namespace

template <class T>
void arithmetic_forward(const ArithmeticForwardOf<T>& p) {
  if (is_dense(p.dims, p.stride_a) && is_dense(p.dims, p.stride_b))
    return launch_vectorized<kVecSize<T>>(product(p.dims), aligned(p.a, p.b, p.y),
                                          Alike<T>{p.kind * 3 + p.slope, p.a, p.b, p.y});
  launch_each(product(p.dims), Forward<T>{p.kind * 3 + p.slope, dims_of(p.dims), dims_of(p.stride_a),
                                          dims_of(p.stride_b), p.a, p.b, p.y});
}
FOR_FLOATS(arithmetic_forward, ArithmeticForward)

template <class T>
void arithmetic_reduce(const ArithmeticReduceOf<T>& p) {
  launch({product(p.kept)}, Reduce<T>{dims_of(p.kept), dims_of(p.kept_stride), dims_of(p.reduced),
                                      dims_of(p.reduced_stride), product(p.reduced), p.x, p.y});
}
FOR_FLOATS(arithmetic_reduce, ArithmeticReduce)

template <class T>
void arithmetic_copy(const ArithmeticCopyOf<T>& p) {
  launch_each(product(p.dims),
              Copy<T>{dims_of(p.dims), dims_of(p.stride_x), dims_of(p.stride_y), p.x + p.offset_x, p.y + p.offset_y});
}
FOR_FLOATS(arithmetic_copy, ArithmeticCopy)

}  // namespace morphmlp::cuda
