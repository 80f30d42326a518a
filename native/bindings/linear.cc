#include "ops/linear.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, LinearForwardOf<T>& p) {
  p.rows = a.size("rows");
  p.n = a.size("n");
  p.k = a.size("k");
  p.gelu = a.flag("gelu");
  p.x = a.in("x", count({p.rows, p.k}));
  p.weight = a.in_buffer("weight", count({p.n, p.k}));
  p.bias = a.in_or_null("bias", p.n);
  p.y = a.out("y", count({p.rows, p.n}));
  p.z = a.out_or_null("z", count({p.rows, p.n}));
}
READS_FLOATS(LinearForward)

template <class T>
void fill(Args& a, LinearBackwardOf<T>& p) {
  p.rows = a.size("rows");
  p.n = a.size("n");
  p.k = a.size("k");
  p.x = a.in("x", count({p.rows, p.k}));
  p.weight = a.in_buffer("weight", count({p.n, p.k}));
  p.dy = a.in("dy", count({p.rows, p.n}));
  p.dx = a.out_or_null("dx", count({p.rows, p.k}));
  p.dweight = a.out_or_null("dweight", count({p.n, p.k}));
  p.dbias = a.out_or_null("dbias", p.n);
}
READS_FLOATS(LinearBackward)

}  // namespace morphmlp
