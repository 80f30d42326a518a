#include "cpu/gemm/packed_weight.h"
#include "cpu/ops/branch_weights.h"
#include "cpu/split_reduce.h"
#include "ops/norm_spatial.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kMix, kOut, kGradOut, kGradMix };

constexpr int64_t kRowsPerBlock = 112;

// Blocks of rows that do not cross clips.
struct Block {
  static int64_t per_clip(const NormSpatialShape& at) { return blocks_of(at.clip_tokens(), kRowsPerBlock); }

  Block(const NormSpatialShape& at, int64_t index) : clip(index / per_clip(at)) {
    const int64_t start = index % per_clip(at) * kRowsPerBlock;
    begin = clip * at.clip_tokens() + start;
    rows = std::min(kRowsPerBlock, at.clip_tokens() - start);
  }

  int64_t clip, begin, rows;
};

// Weighted sum of the branches at the rows of a block.
template <class T, class P>
const Operand<T>* mixed(const P& p, const float* weights, const Block& block) {
  const int64_t c = p.at.channels, branches = p.at.branches(), stride = p.at.tokens() * c;
  const float* w = weights + block.clip * branches * c;
  auto* mix = scratch_of<Operand<T>>(kMix, block.rows * c);
  for (int64_t row = 0; row < block.rows; ++row) {
    const T* from = p.branch + (block.begin + row) * c;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      V sum = mul(get(from + j), get(w + j));
      for (int64_t i = 1; i < branches; ++i) sum = fma(get(from + i * stride + j), get(w + i * c + j), sum);
      put(mix + row * c + j, sum);
    });
  }
  return mix;
}

template <class T>
void forward_block(const NormSpatialMixOf<T>& p, const float* weights, const Operand<T>* proj, const Block& block) {
  const int64_t c = p.at.channels;
  const auto* mix = mixed<T>(p, weights, block);
  float* out = scratch(kOut, block.rows * c);
  gemm_block(block.rows, c, c, mix, c, proj, out, c, false);
  const V scale = set1(p.scale ? p.scale[block.clip] : 1.0f);
  for (int64_t row = 0; row < block.rows; ++row) {
    const T* x = p.x + (block.begin + row) * c;
    const float* from = out + row * c;
    T* y = p.y + (block.begin + row) * c;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(y + j, fma(scale, add(get(from + j), get(p.proj_bias + j)), get(x + j)));
    });
  }
}

template <class T>
const Operand<T>* scaled_grad(const NormSpatialMixBackwardOf<T>& p, const Block& block) {
  const int64_t n = block.rows * p.at.channels;
  const T* dy = p.dy + block.begin * p.at.channels;
  if (!p.scale) return operand_of(dy, n, kGradOut);
  auto* scaled = scratch_of<Operand<T>>(kGradOut, n);
  const V scale = set1(p.scale[block.clip]);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(scaled + i, mul(scale, get(dy + i))); });
  return scaled;
}

// sum[i][c] = sum of dmix * branch_i over the rows of the block: its contribution to dweights.
template <class T>
void sum_weights(const NormSpatialMixBackwardOf<T>& p, const Block& block, const float* dmix, float* sum) {
  const int64_t c = p.at.channels;
  std::fill(sum, sum + p.at.branches() * c, 0.0f);
  for (int64_t row = block.begin; row < block.begin + block.rows; ++row, dmix += c)
    for (int64_t i = 0; i < p.at.branches(); ++i) {
      const T* branch = p.branch + (i * p.at.tokens() + row) * c;
      float* into = sum + i * c;
      for_lanes(
          c, [&](int64_t j, auto get, auto put) { put(into + j, fma(get(dmix + j), get(branch + j), get(into + j))); });
    }
}

// dweights[clip, c, i] = sum over the clip's blocks, in order.
template <class P>
void reduce_weights(const P& p, const std::vector<float>& sums) {
  const int64_t branches = p.at.branches(), c = p.at.channels, width = branches * c, blocks = Block::per_clip(p.at);
  for (int64_t index = 0; index < p.at.clips * width; ++index) {
    const int64_t clip = index / width, channel = index % width / branches, i = index % branches;
    double total = 0;
    for (int64_t block = 0; block < blocks; ++block) total += sums[(clip * blocks + block) * width + i * c + channel];
    p.dweights[index] = static_cast<float>(total);
  }
}

}  // namespace

template <class T>
void norm_spatial_mix(const NormSpatialMixOf<T>& p) {
  const auto proj = packed_weight<Operand<T>>(*p.proj, p.at.channels, p.at.channels, Use::forward);
  const std::vector<float> weights = by_branch(p.weights, p.at.clips, p.at.channels, p.at.branches());
  parallel_for(p.at.clips * Block::per_clip(p.at),
               [&](int64_t index) { forward_block(p, weights.data(), proj->data(), Block(p.at, index)); });
}
FOR_FLOATS(norm_spatial_mix, NormSpatialMix)

template <class T>
void norm_spatial_mix_backward(const NormSpatialMixBackwardOf<T>& p) {
  const int64_t c = p.at.channels, blocks = p.at.clips * Block::per_clip(p.at), width = p.at.branches() * c;
  const auto proj = packed_weight<Operand<T>>(*p.proj, c, c, Use::backward);
  const std::vector<float> weights = by_branch(p.weights, p.at.clips, c, p.at.branches());
  std::vector<float> weight_sums(static_cast<size_t>(blocks * width));
  SplitReducer sums(blocks, c * c + c);
  sums.run([&](int64_t index, float* part, bool first) {
    const Block block(p.at, index);
    const auto *grad = scaled_grad(p, block), *mix = mixed<T>(p, weights.data(), block);
    T* dmix = p.dmix + block.begin * c;
    float* results = results_for(dmix, block.rows * c, kGradMix);
    gemm_tn_block(block.rows, c, c, grad, c, mix, c, part, c, !first);
    col_sum_block(block.rows, c, grad, c, part + c * c, !first);
    gemm_block(block.rows, c, c, grad, c, proj->data(), results, c, false);
    sum_weights(p, block, results, &weight_sums[index * width]);
    store_results(results, block.rows * c, dmix);
  });
  sums.reduce(0, c * c, p.dproj);
  sums.reduce(c * c, c, p.dproj_bias);
  reduce_weights(p, weight_sums);
}
FOR_FLOATS(norm_spatial_mix_backward, NormSpatialMixBackward)

}  // namespace morphmlp::MORPHMLP_ISA
