// The argument readers of the multi-tensor kernels: adamw, sgd, grad_norm.
#include "bindings/args.h"
#include "ops/adamw.h"
#include "ops/grad_norm.h"
#include "ops/sgd.h"

namespace morphmlp {

template <>
AdamwStep read(Args& a) {
  AdamwStep p{};
  p.lr = a.real("lr");
  p.beta1 = a.real("beta1");
  p.beta2 = a.real("beta2");
  p.eps = a.real("eps");
  p.decay = a.real("decay");
  p.step = a.size("step");
  if (p.step < 1) a.reject("step counts from 1");
  p.lengths = a.lengths("parameters");
  p.parameters = a.out_list("parameters", p.lengths);
  p.gradients = a.in_list("gradients", p.lengths);
  p.first = a.out_list("first", p.lengths);
  p.second = a.out_list("second", p.lengths);
  p.numbers = a.in_or_null("numbers", kAdamwNumbers);
  return p;
}

template <>
AdamwNumbers read(Args& a) {
  AdamwNumbers p{};
  p.lr = a.real("lr");
  p.beta1 = a.real("beta1");
  p.beta2 = a.real("beta2");
  p.decay = a.real("decay");
  p.step = a.size("step");
  if (p.step < 1) a.reject("step counts from 1");
  p.numbers = a.out("numbers", kAdamwNumbers);
  return p;
}

template <>
SgdStep read(Args& a) {
  SgdStep p{};
  p.lr = a.real("lr");
  p.momentum = a.real("momentum");
  p.decay = a.real("decay");
  p.nesterov = a.flag("nesterov");
  p.lengths = a.lengths("parameters");
  p.parameters = a.out_list("parameters", p.lengths);
  p.gradients = a.in_list("gradients", p.lengths);
  p.buffers = a.out_list("buffers", p.lengths);
  p.lr_of_step = a.in_or_null("lr_of_step", 1);
  return p;
}

template <>
GradNormMeasure read(Args& a) {
  GradNormMeasure p{};
  p.norm = a.out("norm", 1);
  p.lengths = a.lengths("gradients");
  p.gradients = a.in_list("gradients", p.lengths);
  return p;
}

template <>
GradNormScale read(Args& a) {
  GradNormScale p{};
  p.factor = a.real("factor");
  p.lengths = a.lengths("gradients");
  p.gradients = a.out_list("gradients", p.lengths);
  p.factor_of_step = a.in_or_null("factor_of_step", 1);
  return p;
}

template <>
GradNormLerp read(Args& a) {
  GradNormLerp p{};
  p.weight = a.real("weight");
  p.lengths = a.lengths("into");
  p.into = a.out_list("into", p.lengths);
  p.from = a.in_list("from", p.lengths);
  return p;
}

}  // namespace morphmlp
