#include "ops/cast.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
CastToBf16 read(Args& a) {
  CastToBf16 p{};
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.y = a.out("y", p.n);
  return p;
}

template <>
CastToF32 read(Args& a) {
  CastToF32 p{};
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.y = a.out("y", p.n);
  return p;
}

}  // namespace morphmlp
