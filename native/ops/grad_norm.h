// The L2 norm of many tensors as one vector, summed in double and in a fixed order, and their scaling by one factor:
// gradient clipping. lerp moves tensors towards others: the moving average of weights.
#pragma once
#include <cstdint>
#include <vector>

namespace morphmlp {

struct GradNormMeasure {
  std::vector<int64_t> lengths;
  std::vector<const float*> gradients;
  float* norm;
};

struct GradNormScale {
  float factor;
  std::vector<int64_t> lengths;
  std::vector<float*> gradients;
  const float* factor_of_step;  // one number in place of factor, which a replayed launch reads anew; or nullptr
};

struct GradNormLerp {
  float weight;  // into += weight * (from - into)
  std::vector<int64_t> lengths;
  std::vector<float*> into;
  std::vector<const float*> from;
};

}  // namespace morphmlp
