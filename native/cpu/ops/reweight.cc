#include "ops/reweight.h"

#include "cpu/ops/branch_weights.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kTokenBlock = 64;

// Writes one branch's gradient of one token and accumulates the gradient of its weights.
template <class T>
void gradient_row(const ReweightBackwardOf<T>& p, int64_t branch, int64_t row, const float* weights, float* sums) {
  const int64_t at = row * p.channels;
  for_lanes(p.channels, [&](int64_t c, auto get, auto put) {
    const V dy = get(p.dy + at + c);
    if (p.dbranch[branch]) put(p.dbranch[branch] + at + c, mul(dy, get(weights + c)));
    put(sums + c, fma(dy, get(p.branch[branch] + at + c), get(sums + c)));
  });
}

}  // namespace

template <class T>
void reweight_forward(const ReweightForwardOf<T>& p) {
  const std::vector<float> weights = by_branch(p.weights, p.clips, p.channels, p.branches);
  for_blocks(p.clips * p.tokens, kTokenBlock, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* w = &weights[row / p.tokens * p.branches * p.channels];
      for_lanes(p.channels, [&](int64_t c, auto get, auto put) {
        V sum = mul(get(p.branch[0] + row * p.channels + c), get(w + c));
        for (int64_t i = 1; i < p.branches; ++i)
          sum = fma(get(p.branch[i] + row * p.channels + c), get(w + i * p.channels + c), sum);
        put(p.y + row * p.channels + c, sum);
      });
    }
  });
}
FOR_FLOATS(reweight_forward, ReweightForward)

template <class T>
void reweight_backward(const ReweightBackwardOf<T>& p) {
  const std::vector<float> weights = by_branch(p.weights, p.clips, p.channels, p.branches);
  std::vector<float> sums(static_cast<size_t>(p.branches * p.channels));
  for (int64_t clip = 0; clip < p.clips; ++clip) {
    const float* w = &weights[clip * p.branches * p.channels];
    sum_over_rows(p.tokens, p.branches * p.channels, sums.data(), [&](int64_t begin, int64_t end, float* partial) {
      for (int64_t row = clip * p.tokens + begin; row < clip * p.tokens + end; ++row)
        for (int64_t i = 0; i < p.branches; ++i) gradient_row(p, i, row, w + i * p.channels, partial + i * p.channels);
    });
    for (int64_t c = 0; c < p.channels; ++c)
      for (int64_t i = 0; i < p.branches; ++i)
        p.dweights[(clip * p.channels + c) * p.branches + i] = sums[i * p.channels + c];
  }
}
FOR_FLOATS(reweight_backward, ReweightBackward)

}  // namespace morphmlp::MORPHMLP_ISA
