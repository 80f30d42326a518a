#include "ops/non_finite.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, NonFiniteCountOf<T>& p) {
  p.n = a.size("n");
  p.x = a.in("x", p.n);
  p.found = a.out("found", 1);
}
READS_FLOATS(NonFiniteCount)

}  // namespace morphmlp
