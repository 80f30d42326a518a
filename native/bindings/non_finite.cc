#include "kernels/non_finite.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
NonFiniteCount read(Args& a) {
  NonFiniteCount p{};
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.found = a.out("found", 1);
  return p;
}

}  // namespace morphmlp
