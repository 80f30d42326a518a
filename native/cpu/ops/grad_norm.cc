#include "ops/grad_norm.h"

#include <cmath>

#include "cpu/ops/multi_tensor_apply.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

void grad_norm_measure(const GradNormMeasure& p) {
  const std::vector<TensorBlock> blocks = tensor_blocks(p.lengths);
  std::vector<double> squares(blocks.size());
  for_tensor_blocks(blocks, [&](const TensorBlock& block, int64_t index) {
    const float* g = p.gradients[block.tensor];
    double sum = 0;
    for (int64_t i = block.begin; i < block.end; ++i) sum += static_cast<double>(g[i]) * g[i];
    squares[static_cast<size_t>(index)] = sum;
  });
  double total = 0;
  for (double s : squares) total += s;
  p.norm[0] = static_cast<float>(std::sqrt(total));
}

void grad_norm_scale(const GradNormScale& p) {
  const V factor = set1(p.factor_of_step ? *p.factor_of_step : p.factor);
  for_tensor_blocks(tensor_blocks(p.lengths), [&](const TensorBlock& block, int64_t) {
    float* g = p.gradients[block.tensor] + block.begin;
    for_lanes(block.end - block.begin, [&](int64_t i, auto get, auto put) { put(g + i, mul(factor, get(g + i))); });
  });
}

void grad_norm_lerp(const GradNormLerp& p) {
  const V weight = set1(p.weight);
  for_tensor_blocks(tensor_blocks(p.lengths), [&](const TensorBlock& block, int64_t) {
    float* into = p.into[block.tensor] + block.begin;
    const float* from = p.from[block.tensor] + block.begin;
    for_lanes(block.end - block.begin, [&](int64_t i, auto get, auto put) {
      put(into + i, fma(weight, sub(get(from + i), get(into + i)), get(into + i)));
    });
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
