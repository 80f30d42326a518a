#include "ops/cross_entropy.h"

#include "bindings/args.h"

namespace morphmlp {

template <>
CrossEntropyForward read(Args& a) {
  CrossEntropyForward p{};
  p.rows = a.size("rows");
  p.classes = a.size("classes");
  if (p.rows < 1 || p.classes < 1) a.reject("rows and classes must be at least 1");
  p.logits = a.in("logits", count({p.rows, p.classes}));
  p.targets = a.in("targets", count({p.rows, p.classes}));
  p.loss = a.out("loss", 1);
  p.probabilities = a.out("probabilities", count({p.rows, p.classes}));
  return p;
}

template <>
CrossEntropyBackward read(Args& a) {
  CrossEntropyBackward p{};
  p.rows = a.size("rows");
  p.classes = a.size("classes");
  p.targets = a.in("targets", count({p.rows, p.classes}));
  p.probabilities = a.in("probabilities", count({p.rows, p.classes}));
  p.dloss = a.in("dloss", 1);
  p.dlogits = a.out("dlogits", count({p.rows, p.classes}));
  return p;
}

}  // namespace morphmlp
