#include "ops/accumulate.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, AccumulateForwardOf<T>& p) {
  p.n = a.size("n");
  p.from = a.in("from", p.n);
  p.into = a.out("into", p.n);
}
READS_FLOATS(AccumulateForward)

template <class T>
void fill(Args& a, AccumulateCopyOf<T>& p) {
  p.n = a.size("n");
  p.from = a.in("from", p.n);
  p.into = a.out("into", p.n);
}
READS_FLOATS(AccumulateCopy)

}  // namespace morphmlp
