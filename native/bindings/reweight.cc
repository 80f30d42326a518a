#include "kernels/reweight.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

template <class T>
T read_shape(Args& a) {
  T p{};
  p.clips = a.size("clips");
  p.tokens = a.size("tokens");
  p.channels = a.size("channels");
  p.branches = a.size("branches");
  if (p.branches < 1 || p.branches > kMaxBranches) a.reject("1 to 3 branches, got " + std::to_string(p.branches));
  return p;
}

}  // namespace

template <>
ReweightForward read(Args& a) {
  auto p = read_shape<ReweightForward>(a);
  const int64_t n = count({p.clips, p.tokens, p.channels});
  p.weights = a.in("weights", count({p.clips, p.channels, p.branches}));
  p.y = a.out("y", n);
  for (int64_t i = 0; i < p.branches; ++i) p.branch[i] = a.in("branch", n);
  return p;
}

template <>
ReweightBackward read(Args& a) {
  auto p = read_shape<ReweightBackward>(a);
  const int64_t n = count({p.clips, p.tokens, p.channels});
  p.weights = a.in("weights", count({p.clips, p.channels, p.branches}));
  p.dy = a.in("dy", n);
  p.dweights = a.out("dweights", count({p.clips, p.channels, p.branches}));
  for (int64_t i = 0; i < p.branches; ++i) p.branch[i] = a.in("branch", n);
  for (int64_t i = 0; i < p.branches; ++i) p.dbranch[i] = a.out_or_null("dbranch", n);
  return p;
}

}  // namespace morphmlp
