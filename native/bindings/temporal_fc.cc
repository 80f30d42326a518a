#include "ops/temporal_fc.h"

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
  if (at.groups < 1 || at.channels % at.groups != 0) a.reject("channels must be a multiple of groups");
  if (at.steps == 0) at.clips = 0;  // no units of no elements
  return at;
}

int64_t elements(const TemporalFcShape& at) { return count({at.clips, at.steps, at.positions, at.channels}); }
int64_t row(const TemporalFcShape& at) { return count({at.steps, at.channels / at.groups}); }

}  // namespace

template <class T>
void fill(Args& a, TemporalFcForwardOf<T>& p) {
  p.at = read_shape(a);
  p.x = a.in("x", elements(p.at));
  p.weight = a.in_buffer("weight", count({row(p.at), row(p.at)}));
  p.bias = a.in_or_null("bias", row(p.at));
  p.y = a.out("y", elements(p.at));
}
READS_FLOATS(TemporalFcForward)

template <class T>
void fill(Args& a, TemporalFcBackwardOf<T>& p) {
  p.at = read_shape(a);
  p.x = a.in("x", elements(p.at));
  p.weight = a.in_buffer("weight", count({row(p.at), row(p.at)}));
  p.dy = a.in("dy", elements(p.at));
  p.dx = a.out_or_null("dx", elements(p.at));
  p.dweight = a.out_or_null("dweight", count({row(p.at), row(p.at)}));
  p.dbias = a.out_or_null("dbias", row(p.at));
}
READS_FLOATS(TemporalFcBackward)

}  // namespace morphmlp
