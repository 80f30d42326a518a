// Factors of an AdamW step from learning rate, weight decay and step number (ops/adamw.def).
// Compiled for each instruction set in a namespace of its own, and for the GPU.
#pragma once
#include <cmath>

#include "ops/adamw.h"

#ifndef MORPHMLP_ISA
#define MORPHMLP_ISA cuda
#endif

namespace morphmlp::MORPHMLP_ISA {

struct AdamwRates {
  float rate, root2, shrink;
};

// P: AdamwStep or AdamwNumbers.
template <class P>
AdamwRates adamw_rates(const P& p) {
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  return {static_cast<float>(p.lr / correction1), static_cast<float>(1 / std::sqrt(correction2)), 1 - p.lr * p.decay};
}

}  // namespace morphmlp::MORPHMLP_ISA
