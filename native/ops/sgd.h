// One SGD step with momentum over many tensors in one pass (PyTorch's formula, no dampening): g += decay * p; buffer =
// momentum * buffer + g; p -= lr * (nesterov ? g + momentum * buffer : buffer). The first step has buffer = g: buffers
// start at zero.
#pragma once
#include <cstdint>
#include <vector>

namespace morphmlp {

struct SgdStep {
  float lr, momentum, decay;
  bool nesterov;
  std::vector<int64_t> lengths;
  std::vector<float*> parameters, buffers;
  std::vector<const float*> gradients;
  const float* lr_of_step;  // one number in place of lr, which a replayed launch reads anew; or nullptr
};

}  // namespace morphmlp
