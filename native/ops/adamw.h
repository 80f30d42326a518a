// One AdamW step (Loshchilov and Hutter, decoupled weight decay; PyTorch's formula) over many tensors in one pass:
//   p *= 1 - lr * decay;  m += (1 - b1) (g - m);  v += (1 - b2) (g^2 - v);  p -= lr / c1 * m / (sqrt(v) / sqrt(c2) +
//   eps)
// with the bias corrections c1 = 1 - b1^step and c2 = 1 - b2^step.
#pragma once
#include <cstdint>
#include <vector>

namespace morphmlp {

constexpr int64_t kAdamwNumbers = 3;  // lr / c1, 1 / sqrt(c2), 1 - lr * decay

struct AdamwStep {
  float lr, beta1, beta2, eps, decay;
  int64_t step;
  std::vector<int64_t> lengths;
  std::vector<float*> parameters, first, second;
  std::vector<const float*> gradients;
  const float* numbers;  // where adamw_numbers wrote those of this step, or nullptr: then they are made of lr and step
};

// What changes from step to step, written where adamw_step reads it: so a recorded adamw_step can be replayed.
struct AdamwNumbers {
  float lr, beta1, beta2, decay;
  int64_t step;
  float* numbers;  // kAdamwNumbers
};

}  // namespace morphmlp
