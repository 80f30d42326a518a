// y = a (op) b element by element over up to six dimensions, with a stride of 0 where an operand is repeated (NumPy
// broadcasting), and the sum that takes a gradient back to an operand's shape.
#pragma once
#include <cstdint>

namespace morphmlp {

constexpr int kMaxDims = 6;

template <class T>
struct ArithmeticForwardOf {
  int64_t kind;  // 0 add, 1 subtract, 2 multiply, 3 divide
  int64_t dims[kMaxDims], stride_a[kMaxDims], stride_b[kMaxDims];
  int64_t length_a, length_b;
  const T *a, *b;
  T* y;
};
using ArithmeticForward = ArithmeticForwardOf<float>;

// y[kept] = sum over `reduced` of x, whose strides are given for both sets of dimensions.
template <class T>
struct ArithmeticReduceOf {
  int64_t kept[kMaxDims], kept_stride[kMaxDims], reduced[kMaxDims], reduced_stride[kMaxDims];
  int64_t length_x;
  const T* x;
  T* y;
};
using ArithmeticReduce = ArithmeticReduceOf<float>;

}  // namespace morphmlp
