#include "ops/layer_norm.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, LayerNormForwardOf<T>& p) {
  p.rows = a.size("rows");
  p.cols = a.size("cols");
  p.eps = a.real("eps");
  p.x = a.in("x", count({p.rows, p.cols}));
  p.gamma = a.in("gamma", p.cols);
  p.beta = a.in("beta", p.cols);
  p.y = a.out("y", count({p.rows, p.cols}));
  p.mean = a.out("mean", p.rows);
  p.rstd = a.out("rstd", p.rows);
}
READS_FLOATS(LayerNormForward)

template <class T>
void fill(Args& a, LayerNormBackwardOf<T>& p) {
  p.rows = a.size("rows");
  p.cols = a.size("cols");
  p.x = a.in("x", count({p.rows, p.cols}));
  p.gamma = a.in("gamma", p.cols);
  p.mean = a.in("mean", p.rows);
  p.rstd = a.in("rstd", p.rows);
  p.dy = a.in("dy", count({p.rows, p.cols}));
  p.dx = a.out("dx", count({p.rows, p.cols}));
  p.dgamma = a.out("dgamma", p.cols);
  p.dbeta = a.out("dbeta", p.cols);
}
READS_FLOATS(LayerNormBackward)

}  // namespace morphmlp
