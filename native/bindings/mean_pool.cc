#include "ops/mean_pool.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, MeanPoolForwardOf<T>& p) {
  p.clips = a.size("clips");
  p.tokens = a.size("tokens");
  p.channels = a.size("channels");
  p.inputs = a.size("inputs");
  if (p.inputs < 1 || p.inputs > 3) a.reject("1 to 3 inputs, got " + std::to_string(p.inputs));
  p.y = a.out("y", count({p.clips, p.channels}));
  for (int64_t i = 0; i < p.inputs; ++i) p.x[i] = a.in("x", count({p.clips, p.tokens, p.channels}));
}
READS_FLOATS(MeanPoolForward)

template <class T>
void fill(Args& a, MeanPoolBackwardOf<T>& p) {
  p.clips = a.size("clips");
  p.tokens = a.size("tokens");
  p.channels = a.size("channels");
  p.dy = a.in("dy", count({p.clips, p.channels}));
  p.dx = a.out("dx", count({p.clips, p.tokens, p.channels}));
}
READS_FLOATS(MeanPoolBackward)

}  // namespace morphmlp
