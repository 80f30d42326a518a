#include "kernels/gelu.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
GeluForward read(Args& a) {
  GeluForward p{};
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.y = a.out("y", p.n);
  return p;
}

template <>
GeluBackward read(Args& a) {
  GeluBackward p{};
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.dy = a.in("dy", p.n);
  p.dx = a.out("dx", p.n);
  return p;
}

}  // namespace morphmlp
