#include "ops/cross_entropy.h"

#include <cmath>

#include "cpu/isa.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// In double: there is one short row per clip, so the cost is negligible.
double row_loss(const float* logits, const float* targets, int64_t n, float* probabilities) {
  float largest = logits[0];
  for (int64_t i = 1; i < n; ++i) largest = logits[i] <= largest ? largest : logits[i];
  double sum = 0, loss = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(logits[i]) - largest);
  const double log_sum = std::log(sum);
  for (int64_t i = 0; i < n; ++i) {
    const double log_probability = static_cast<double>(logits[i]) - largest - log_sum;
    probabilities[i] = static_cast<float>(std::exp(log_probability));
    if (targets[i] != 0) loss -= targets[i] * log_probability;  // a logit of -inf with target 0 contributes 0, not NaN
  }
  return loss;
}

}  // namespace

void cross_entropy_forward(const CrossEntropyForward& p) {
  double total = 0;
  for (int64_t row = 0; row < p.rows; ++row) {
    const int64_t at = row * p.classes;
    total += row_loss(p.logits + at, p.targets + at, p.classes, p.probabilities + at);
  }
  p.loss[0] = static_cast<float>(total / static_cast<double>(p.rows));
}

void cross_entropy_backward(const CrossEntropyBackward& p) {
  const float share = p.dloss[0] / static_cast<float>(p.rows);
  for (int64_t row = 0; row < p.rows; ++row) {
    const int64_t at = row * p.classes;
    double mass = 0;
    for (int64_t i = 0; i < p.classes; ++i) mass += p.targets[at + i];
    for (int64_t i = 0; i < p.classes; ++i)
      p.dlogits[at + i] = share * (p.probabilities[at + i] * static_cast<float>(mass) - p.targets[at + i]);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
