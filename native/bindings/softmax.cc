#include "ops/softmax.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
SoftmaxForward read(Args& a) {
  SoftmaxForward p{};
  p.rows = a.size("rows");
  p.cols = a.size("cols");
  p.x = a.in("x", count({p.rows, p.cols}));
  p.y = a.out("y", count({p.rows, p.cols}));
  return p;
}

template <>
SoftmaxBackward read(Args& a) {
  SoftmaxBackward p{};
  p.rows = a.size("rows");
  p.cols = a.size("cols");
  p.y = a.in("y", count({p.rows, p.cols}));
  p.dy = a.in("dy", count({p.rows, p.cols}));
  p.dx = a.out("dx", count({p.rows, p.cols}));
  return p;
}

}  // namespace morphmlp
