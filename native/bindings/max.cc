#include "ops/max.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

template <class T>
T read_shape(Args& a) {
  const int64_t outer = a.size("outer"), n = a.size("n"), inner = a.size("inner");
  if (n < 1 || n > INT32_MAX) a.reject("n must be from 1 to 2^31 - 1, got " + std::to_string(n));
  T p{};
  p.outer = outer, p.n = n, p.inner = inner;
  return p;
}

}  // namespace

template <>
MaxForward read(Args& a) {
  auto p = read_shape<MaxForward>(a);
  p.x = a.in("x", count({p.outer, p.n, p.inner}));
  p.y = a.out("y", count({p.outer, p.inner}));
  p.index = a.out_i32("index", count({p.outer, p.inner}));
  return p;
}

template <>
MaxBackward read(Args& a) {
  auto p = read_shape<MaxBackward>(a);
  p.dy = a.in("dy", count({p.outer, p.inner}));
  p.index = a.in_i32("index", count({p.outer, p.inner}));
  p.dx = a.out("dx", count({p.outer, p.n, p.inner}));
  check_index(a, p.index, p.outer * p.inner, p.n);
  return p;
}

}  // namespace morphmlp
