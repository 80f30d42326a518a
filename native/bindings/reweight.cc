#include "ops/reweight.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

template <class P>
void read_shape(Args& a, P& p) {
  p.clips = a.size("clips");
  p.tokens = a.size("tokens");
  p.channels = a.size("channels");
  p.branches = a.size("branches");
  if (p.branches < 1 || p.branches > kMaxBranches) a.reject("1 to 3 branches, got " + std::to_string(p.branches));
}

}  // namespace

template <class T>
void fill(Args& a, ReweightForwardOf<T>& p) {
  read_shape(a, p);
  const int64_t n = count({p.clips, p.tokens, p.channels});
  p.weights = a.in("weights", count({p.clips, p.channels, p.branches}));
  p.y = a.out("y", n);
  for (int64_t i = 0; i < p.branches; ++i) p.branch[i] = a.in("branch", n);
}
READS_FLOATS(ReweightForward)

template <class T>
void fill(Args& a, ReweightBackwardOf<T>& p) {
  read_shape(a, p);
  const int64_t n = count({p.clips, p.tokens, p.channels});
  p.weights = a.in("weights", count({p.clips, p.channels, p.branches}));
  p.dy = a.in("dy", n);
  p.dweights = a.out("dweights", count({p.clips, p.channels, p.branches}));
  for (int64_t i = 0; i < p.branches; ++i) p.branch[i] = a.in("branch", n);
  for (int64_t i = 0; i < p.branches; ++i) p.dbranch[i] = a.out_or_null("dbranch", n);
}
READS_FLOATS(ReweightBackward)

}  // namespace morphmlp
