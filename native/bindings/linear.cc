#include "kernels/linear.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
LinearForward read(Args& a) {
  LinearForward p{};
  p.rows = a.size("rows");
  p.n = a.size("n");
  p.k = a.size("k");
  p.gelu = a.flag("gelu");
  p.x = a.in("x", count({p.rows, p.k}));
  p.weight = a.in_buffer("weight", count({p.n, p.k}));
  p.bias = a.in_or_null("bias", p.n);
  p.y = a.out("y", count({p.rows, p.n}));
  p.z = a.out_or_null("z", count({p.rows, p.n}));
  return p;
}

template <>
LinearBackward read(Args& a) {
  LinearBackward p{};
  p.rows = a.size("rows");
  p.n = a.size("n");
  p.k = a.size("k");
  p.x = a.in("x", count({p.rows, p.k}));
  p.weight = a.in_buffer("weight", count({p.n, p.k}));
  p.dy = a.in("dy", count({p.rows, p.n}));
  p.dx = a.out_or_null("dx", count({p.rows, p.k}));
  p.dweight = a.out_or_null("dweight", count({p.n, p.k}));
  p.dbias = a.out_or_null("dbias", p.n);
  return p;
}

}  // namespace morphmlp
