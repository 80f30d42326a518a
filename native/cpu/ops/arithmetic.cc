#include "ops/arithmetic.h"

#include "cpu/rows.h"
#include "ops/pointwise_functions.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int kLast = kMaxDims - 1;

// Offset of the element with row-major index `at` over the first `count` dims.
int64_t offset_of(int64_t at, const int64_t* dims, const int64_t* strides, int count) {
  int64_t offset = 0;
  for (int i = count - 1; i >= 0; --i) {
    offset += at % dims[i] * strides[i];
    at /= dims[i];
  }
  return offset;
}

int64_t product(const int64_t* dims, int count) {
  int64_t n = 1;
  for (int i = 0; i < count; ++i) n *= dims[i];
  return n;
}

// The four operations that have vector instructions.
V apply(int64_t kind, V a, V b) {
  switch (kind) {
    case k_binary_add:
      return add(a, b);
    case k_binary_sub:
      return sub(a, b);
    case k_binary_mul:
      return mul(a, b);
    default:
      return div(a, b);
  }
}

// y[i] = f(a, b) along the last dimension, whose stride in each operand is 1 (contiguous) or 0 (broadcast).
template <class T, class F>
void map_row(const ArithmeticForwardOf<T>& p, const T* a, const T* b, T* y, int64_t n, F&& f) {
  const int64_t step_a = p.stride_a[kLast], step_b = p.stride_b[kLast];
  for (int64_t i = 0; i < n; ++i) assign(y + i, f(to_float(a[i * step_a]), to_float(b[i * step_b])));
}

// A function or one of its derivatives along the last dimension.
template <class T>
void apply_function(const ArithmeticForwardOf<T>& p, const T* a, const T* b, T* y, int64_t n) {
  switch (p.kind * 3 + p.slope) {
#define MAP(at, value) \
  case at:             \
    return map_row(p, a, b, y, n, []([[maybe_unused]] float a, [[maybe_unused]] float b) { return value; });
#define CASE(name, value, slope_a, slope_b) \
  MAP(k_binary_##name * 3, value)           \
  MAP(k_binary_##name * 3 + 1, slope_a)     \
  MAP(k_binary_##name * 3 + 2, slope_b)
    ARITHMETIC_FUNCTIONS(CASE)
#undef CASE
#undef MAP
  }
}

template <class T>
void apply_row(const ArithmeticForwardOf<T>& p, const T* a, const T* b, T* y, int64_t n) {
  if (p.kind > k_binary_div || p.slope != 0) return apply_function(p, a, b, y, n);
  const bool fixed_a = p.stride_a[kLast] == 0, fixed_b = p.stride_b[kLast] == 0;
  for_lanes(n, [&](int64_t i, auto get, auto put) {
    put(y + i, apply(p.kind, fixed_a ? set1(to_float(*a)) : get(a + i), fixed_b ? set1(to_float(*b)) : get(b + i)));
  });
}

template <class T>
double sum_of(const ArithmeticReduceOf<T>& p, const T* x) {
  double sum = 0;
  const int64_t step = p.reduced_stride[kLast];
  const int64_t outer = p.reduced[kLast] == 0 ? 0 : product(p.reduced, kLast);
  for (int64_t o = 0; o < outer; ++o) {
    const T* from = x + offset_of(o, p.reduced, p.reduced_stride, kLast);
    for (int64_t i = 0; i < p.reduced[kLast]; ++i) sum += to_float(from[i * step]);
  }
  return sum;
}

}  // namespace

template <class T>
void arithmetic_forward(const ArithmeticForwardOf<T>& p) {
  const int64_t n = p.dims[kLast], outer = product(p.dims, kLast);
  if (n == 0) return;
  const int64_t blocks_per_row = blocks_of(n, kElementBlock), rows_per_task = std::max<int64_t>(1, kElementBlock / n);
  for_blocks(outer * blocks_per_row, rows_per_task, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t o = i / blocks_per_row, at = i % blocks_per_row * kElementBlock,
                    length = std::min(kElementBlock, n - at);
      const T* a = p.a + offset_of(o, p.dims, p.stride_a, kLast) + at * p.stride_a[kLast];
      const T* b = p.b + offset_of(o, p.dims, p.stride_b, kLast) + at * p.stride_b[kLast];
      apply_row(p, a, b, p.y + o * n + at, length);
    }
  });
}
FOR_FLOATS(arithmetic_forward, ArithmeticForward)

template <class T>
void arithmetic_reduce(const ArithmeticReduceOf<T>& p) {
  const int64_t summed = std::max<int64_t>(1, product(p.reduced, kMaxDims));
  for_blocks(product(p.kept, kMaxDims), std::max<int64_t>(1, kElementBlock / summed), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      assign(p.y + i, static_cast<float>(sum_of(p, p.x + offset_of(i, p.kept, p.kept_stride, kMaxDims))));
  });
}
FOR_FLOATS(arithmetic_reduce, ArithmeticReduce)

template <class T>
void arithmetic_copy(const ArithmeticCopyOf<T>& p) {
  const int64_t n = p.dims[kLast], step_x = p.stride_x[kLast], step_y = p.stride_y[kLast];
  if (n == 0) return;
  for_blocks(product(p.dims, kLast), std::max<int64_t>(1, kElementBlock / n), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const T* x = p.x + p.offset_x + offset_of(o, p.dims, p.stride_x, kLast);
      T* y = p.y + p.offset_y + offset_of(o, p.dims, p.stride_y, kLast);
      for (int64_t i = 0; i < n; ++i) y[i * step_y] = x[i * step_x];
    }
  });
}
FOR_FLOATS(arithmetic_copy, ArithmeticCopy)

}  // namespace morphmlp::MORPHMLP_ISA
