#include "ops/batch_norm.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, BatchNormForwardOf<T>& p) {
  p.rows = a.size("rows");
  p.cols = a.size("cols");
  p.training = a.flag("training");
  p.gelu = a.flag("gelu");
  p.momentum = a.real("momentum");
  p.eps = a.real("eps");
  p.x = a.in("x", count({p.rows, p.cols}));
  p.gamma = a.in("gamma", p.cols);
  p.beta = a.in("beta", p.cols);
  p.running_mean = a.out("running_mean", p.cols);
  p.running_var = a.out("running_var", p.cols);
  p.y = a.out("y", count({p.rows, p.cols}));
  p.mean = a.out("mean", p.cols);
  p.rstd = a.out("rstd", p.cols);
}
READS_FLOATS(BatchNormForward)

template <class T>
void fill(Args& a, BatchNormBackwardOf<T>& p) {
  p.rows = a.size("rows");
  p.cols = a.size("cols");
  p.training = a.flag("training");
  p.gelu = a.flag("gelu");
  p.x = a.in("x", count({p.rows, p.cols}));
  p.gamma = a.in("gamma", p.cols);
  p.beta = a.in("beta", p.cols);
  p.mean = a.in("mean", p.cols);
  p.rstd = a.in("rstd", p.cols);
  p.dy = a.in("dy", count({p.rows, p.cols}));
  p.dx = a.out("dx", count({p.rows, p.cols}));
  p.dgamma = a.out("dgamma", p.cols);
  p.dbeta = a.out("dbeta", p.cols);
}
READS_FLOATS(BatchNormBackward)

}  // namespace morphmlp
