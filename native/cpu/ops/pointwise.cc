#include "ops/pointwise.h"

#include "cpu/rows.h"
#include "ops/pointwise_functions.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// y[i] = f(i) for n elements.
template <class T, class F>
void for_each(int64_t n, T* y, F&& f) {
  for_blocks(n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) assign(y + i, f(i));
  });
}

}  // namespace

template <class T>
void pointwise_forward(const PointwiseForwardOf<T>& p) {
  [[maybe_unused]] const float a = p.a, b = p.b;
  switch (p.kind) {
#define CASE(name, value, slope)               \
  case k_##name:                               \
    return for_each(p.n, p.y, [=](int64_t i) { \
      const float x = to_float(p.x[i]);        \
      return value;                            \
    });
    POINTWISE_FUNCTIONS(CASE)
#undef CASE
  }
}
FOR_FLOATS(pointwise_forward, PointwiseForward)

template <class T>
void pointwise_backward(const PointwiseBackwardOf<T>& p) {
  [[maybe_unused]] const float a = p.a, b = p.b;
  switch (p.kind) {
#define CASE(name, value, slope)                         \
  case k_##name:                                         \
    return for_each(p.n, p.dx, [=](int64_t i) {          \
      [[maybe_unused]] const float x = to_float(p.x[i]); \
      return to_float(p.dy[i]) * (slope);                \
    });
    POINTWISE_FUNCTIONS(CASE)
#undef CASE
  }
}
FOR_FLOATS(pointwise_backward, PointwiseBackward)

}  // namespace morphmlp::MORPHMLP_ISA
