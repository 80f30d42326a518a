// Softmax cross entropy with soft targets: loss = mean over rows of -sum(target * log_softmax(logits)); probabilities
// are kept for the backward, dlogits = dloss / rows * (probabilities * sum(target) - target).
#pragma once
#include <cstdint>

namespace morphmlp {

struct CrossEntropyForward {
  int64_t rows, classes;
  const float *logits, *targets;
  float *loss, *probabilities;
};

struct CrossEntropyBackward {
  int64_t rows, classes;
  const float *targets, *probabilities, *dloss;
  float* dlogits;
};

}  // namespace morphmlp
