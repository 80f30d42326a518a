#include "ops/dropout.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
DropoutFactors read(Args& a) {
  DropoutFactors p{};
  p.n = a.size("n");
  p.p = a.real("p");
  p.seed = a.size("seed");
  p.offset = a.size("offset");
  if (!(p.p >= 0 && p.p < 1)) a.reject("p must be in [0, 1)");
  if (p.offset % 4 != 0) a.reject("offset must be a multiple of 4");
  p.factor = a.out("factor", p.n);
  p.start = a.in_i32_or_null("start", kDrawStart);
  return p;
}

template <class T>
void fill(Args& a, DropoutApplyOf<T>& p) {
  p.n = a.size("n");
  p.span = a.size("span");
  if (p.span < 1 || p.n % p.span != 0) a.reject("n must be whole spans");
  p.x = a.in("x", p.n);
  p.factor = a.in("factor", p.n / p.span);
  p.y = a.out("y", p.n);
}
READS_FLOATS(DropoutApply)

}  // namespace morphmlp
