#include "ops/norm_temporal.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

TemporalFcShape read_shape(Args& a) {
  TemporalFcShape at{};
  at.clips = a.size("clips");
  at.steps = a.size("steps");
  at.positions = a.size("positions");
  at.channels = a.size("channels");
  at.groups = a.size("groups");
  if (at.channels < 1) a.reject("no channels");
  if (at.groups < 1 || at.channels % at.groups != 0) a.reject("channels must be a multiple of groups");
  if (at.steps == 0) at.clips = 0;  // no units of no elements
  return at;
}

// The numbers of floats of what the kernels take.
struct Sizes {
  explicit Sizes(const TemporalFcShape& at)
      : rows(count({at.clips, at.steps, at.positions})),
        elements(count({rows, at.channels})),
        row(count({at.steps, at.channels / at.groups})),
        weight(count({row, row})),
        proj(count({at.channels, at.channels})) {}
  int64_t rows, elements, row, weight, proj;
};

}  // namespace

template <class T>
void fill(Args& a, NormTemporalForwardOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.eps = a.real("eps");
  p.x = a.in("x", size.elements);
  p.gamma = a.in("gamma", p.at.channels);
  p.beta = a.in("beta", p.at.channels);
  p.weight = a.in_buffer("weight", size.weight);
  p.bias = a.in_or_null("bias", size.row);
  p.proj = a.in_buffer("proj", size.proj);
  p.proj_bias = a.in("proj_bias", p.at.channels);
  p.y = a.out("y", size.elements);
  p.mean = a.out("mean", size.rows);
  p.rstd = a.out("rstd", size.rows);
  p.u = a.out_or_null("u", size.elements);
}
READS_FLOATS(NormTemporalForward)

template <class T>
void fill(Args& a, NormTemporalBackwardOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.x = a.in("x", size.elements);
  p.gamma = a.in("gamma", p.at.channels);
  p.beta = a.in("beta", p.at.channels);
  p.weight = a.in_buffer("weight", size.weight);
  p.proj = a.in_buffer("proj", size.proj);
  p.mean = a.in("mean", size.rows);
  p.rstd = a.in("rstd", size.rows);
  p.u = a.in("u", size.elements);
  p.dy = a.in("dy", size.elements);
  p.dx = a.out("dx", size.elements);
  p.dgamma = a.out("dgamma", p.at.channels);
  p.dbeta = a.out("dbeta", p.at.channels);
  p.dweight = a.out("dweight", size.weight);
  p.dbias = a.out_or_null("dbias", size.row);
  p.dproj = a.out("dproj", size.proj);
  p.dproj_bias = a.out("dproj_bias", p.at.channels);
}
READS_FLOATS(NormTemporalBackward)

}  // namespace morphmlp
