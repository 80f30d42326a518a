#include "ops/gelu.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, GeluForwardOf<T>& p) {
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.y = a.out("y", p.n);
}
READS_FLOATS(GeluForward)

template <class T>
void fill(Args& a, GeluBackwardOf<T>& p) {
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.dy = a.in("dy", p.n);
  p.dx = a.out("dx", p.n);
}
READS_FLOATS(GeluBackward)

}  // namespace morphmlp
