#include "kernels/accumulate.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
AccumulateForward read(Args& a) {
  AccumulateForward p{};
  p.n = a.size("n");
  p.from = a.in("from", p.n);
  p.into = a.out("into", p.n);
  return p;
}

template <>
AccumulateCopy read(Args& a) {
  AccumulateCopy p{};
  p.n = a.size("n");
  p.from = a.in("from", p.n);
  p.into = a.out("into", p.n);
  return p;
}

}  // namespace morphmlp
