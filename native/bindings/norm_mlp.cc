#include "ops/norm_mlp.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

NormMlpShape read_shape(Args& a) {
  NormMlpShape at{};
  at.rows = a.size("rows");
  at.channels = a.size("channels");
  at.hidden = a.size("hidden");
  at.rows_per_clip = a.size("rows_per_clip");
  if (at.channels < 1) a.reject("no channels");
  if (at.rows_per_clip < 1 || at.rows % at.rows_per_clip != 0) a.reject("rows must be whole clips");
  return at;
}

}  // namespace

template <class T>
void fill(Args& a, NormMlpForwardOf<T>& p) {
  p.at = read_shape(a);
  const auto [rows, channels, hidden, rows_per_clip] = p.at;
  p.eps = a.real("eps");
  p.x = a.in("x", count({rows, channels}));
  p.gamma = a.in("gamma", channels);
  p.beta = a.in("beta", channels);
  p.w1 = a.in_buffer("w1", count({hidden, channels}));
  p.b1 = a.in("b1", hidden);
  p.w2 = a.in_buffer("w2", count({channels, hidden}));
  p.b2 = a.in("b2", channels);
  p.scale = a.in_or_null("scale", rows / rows_per_clip);
  p.y = a.out("y", count({rows, channels}));
  p.mean = a.out("mean", rows);
  p.rstd = a.out("rstd", rows);
  p.z = a.out_or_null("z", count({rows, hidden}));
}
READS_FLOATS(NormMlpForward)

template <class T>
void fill(Args& a, NormMlpBackwardOf<T>& p) {
  p.at = read_shape(a);
  const auto [rows, channels, hidden, rows_per_clip] = p.at;
  p.x = a.in("x", count({rows, channels}));
  p.gamma = a.in("gamma", channels);
  p.beta = a.in("beta", channels);
  p.w1 = a.in_buffer("w1", count({hidden, channels}));
  p.w2 = a.in_buffer("w2", count({channels, hidden}));
  p.scale = a.in_or_null("scale", rows / rows_per_clip);
  p.mean = a.in("mean", rows);
  p.rstd = a.in("rstd", rows);
  p.z = a.in("z", count({rows, hidden}));
  p.dy = a.in("dy", count({rows, channels}));
  p.dx = a.out("dx", count({rows, channels}));
  p.dgamma = a.out("dgamma", channels);
  p.dbeta = a.out("dbeta", channels);
  p.dw1 = a.out("dw1", count({hidden, channels}));
  p.db1 = a.out("db1", hidden);
  p.dw2 = a.out("dw2", count({channels, hidden}));
  p.db2 = a.out("db2", channels);
}
READS_FLOATS(NormMlpBackward)

}  // namespace morphmlp
