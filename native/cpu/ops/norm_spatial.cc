#include "ops/norm_spatial.h"

#include "cpu/gemm/chunk_block.h"
#include "cpu/ops/branch_weights.h"
#include "cpu/ops/branches.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/ops/spatial_tiles.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kTokens, kRows, kProduct, kInner, kGradRows, kSum, kResults };

// A frame, or an equal share of each branch's chunks in a frame if there are few frames.
struct Segment {
  Segment(const NormSpatialShape& at, int64_t segments, int64_t index)
      : frame(index / segments), share(index % segments), shares(segments), clip(frame / at.steps) {}

  // The share [begin(n), end(n)) of n items per frame.
  int64_t begin(int64_t n) const { return frame * n + n * share / shares; }
  int64_t end(int64_t n) const { return frame * n + n * (share + 1) / shares; }

  // Calls body(first, last) for blocks of a branch's chunks.
  template <class F>
  void for_chunk_blocks(const MorphLayout& layout, F&& body) const {
    const int64_t step = chunks_per_block(layout), last = end(layout.chunks_per_frame);
    for (int64_t first = begin(layout.chunks_per_frame); first < last; first += step)
      body(first, std::min(last, first + step));
  }

  int64_t frame, share, shares, clip;
};

// Segments per frame for at least `wanted` non-empty segments in all, if there are enough chunks.
int64_t segments_for(const NormSpatialShape& at, int64_t wanted) {
  return std::clamp<int64_t>(blocks_of(wanted, at.frames()), 1, blocks_of(at.frame_tokens(), at.chunk));
}

// Normalises the tokens of a block into scratch by the statistics(row) of each.
template <class T, class P, class F>
Operand<T>* normalise_tokens(const P& p, const MorphLayout& layout, int64_t first, int64_t last, F&& statistics) {
  const int64_t c = layout.channels;
  auto* tokens = scratch_of<Operand<T>>(kTokens, (last - first) * layout.chunk_tokens * c);
  for_block_tokens(layout, first, last, [&](int64_t i, int64_t row) {
    if (row < 0) return clear_row(tokens + i * c, c);
    normalise_row(p.x + row * c, c, statistics(row), p.gamma, p.beta, tokens + i * c);
  });
  return tokens;
}

// Scatters the results of a block to the branch's tensor and adds their sum over tokens to `sum`.
template <class T>
void store_block(const MorphLayout& layout, int64_t first, int64_t last, const float* tokens, T* branch, float* sum) {
  const int64_t c = layout.channels;
  float* part = scratch(kSum, c);
  clear_row(part, c);
  for_block_tokens(layout, first, last, [&](int64_t i, int64_t row) {
    if (row < 0) return;
    copy_row(branch + row * c, tokens + i * c, c);
    add_row(part, tokens + i * c, c);
  });
  add_row(sum, part, c);
}

template <class T>
void forward_branch(const NormSpatialBranchesOf<T>& p, const Segment& segment, int64_t i, const Operand<T>* weight,
                    float* sum) {
  const MorphLayout layout = branch_layout(p.at, i);
  segment.for_chunk_blocks(layout, [&](int64_t first, int64_t last) {
    const MorphLayout local = block_layout(layout, last - first);
    const int64_t elements = local.frame_tokens * local.channels;
    const Operand<T>* tokens = normalise_tokens<T>(p, layout, first, last, [&](int64_t row) {
      const RowStatistics s = row_statistics(p.x + row * layout.channels, layout.channels, p.eps);
      if (is_channel_branch(p.at, i)) {  // exactly one branch writes them
        p.mean[row] = s.mean;
        p.rstd[row] = s.rstd;
      }
      return s;
    });
    const auto* rows = block_rows(local, tokens, scratch_of<Operand<T>>(kRows, elements));
    float* results = scratch(kInner, elements);
    multiply_rows(local, rows, weight, p.bias[i], scratch(kProduct, elements), results);
    store_block(layout, first, last, results, p.branch + i * p.at.tokens() * layout.channels, sum);
  });
}

// Arguments shared by all blocks of the backward.
template <class T>
struct Backward {
  const NormSpatialBranchesBackwardOf<T>& p;
  std::vector<float> weights;  // [clip][i][c]
  PackedWeights<Operand<T>> packed;
  BranchSums sum;
  float* dnormed;  // gradient of the normalised tokens, summed over the branches: in dx if that is f32
};

// Gradient of branch i at the tokens of a block: weights * dmix + dpooled / clip_tokens.
template <class T>
const Operand<T>* grad_tokens(const Backward<T>& b, const MorphLayout& layout, const Segment& segment, int64_t i,
                              int64_t first, int64_t last) {
  const int64_t c = layout.channels;
  const float* w = &b.weights[(segment.clip * b.p.at.branches() + i) * c];
  const float* pooled = b.p.dpooled + segment.clip * c;
  const V share = set1(1.0f / static_cast<float>(b.p.at.clip_tokens()));
  auto* grad = scratch_of<Operand<T>>(kInner, (last - first) * layout.chunk_tokens * c);
  for_block_tokens(layout, first, last, [&](int64_t t, int64_t row) {
    auto* to = grad + t * c;
    if (row < 0) return clear_row(to, c);
    const T* from = b.p.dmix + row * c;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(to + j, fma(get(w + j), get(from + j), mul(share, get(pooled + j))));
    });
  });
  return grad;
}

// Accumulates a block's gradient of the normalised tokens, or stores it if `overwrite`.
void accumulate_grad(const MorphLayout& layout, int64_t first, int64_t last, const float* tokens, bool overwrite,
                     float* sum) {
  const int64_t c = layout.channels;
  for_block_tokens(layout, first, last, [&](int64_t i, int64_t row) {
    if (row < 0) return;
    overwrite ? copy_row(sum + row * c, tokens + i * c, c) : add_row(sum + row * c, tokens + i * c, c);
  });
}

template <class T>
void backward_branch(const Backward<T>& b, const Segment& segment, int64_t i, float* sums, bool first_block) {
  const MorphLayout layout = branch_layout(b.p.at, i);
  const int64_t k = layout.row_length();
  float *dweight = sums + i * b.sum.branch, *dbias = dweight + b.sum.weight;
  bool add = !first_block;
  segment.for_chunk_blocks(layout, [&](int64_t first, int64_t last) {
    const MorphLayout local = block_layout(layout, last - first);
    const int64_t elements = local.frame_tokens * local.channels, n = local.chunks * local.groups;
    const auto* grad =
        block_rows(local, grad_tokens(b, layout, segment, i, first, last), scratch_of<Operand<T>>(kGradRows, elements));
    const Operand<T>* normed = normalise_tokens<T>(b.p, layout, first, last, [&](int64_t row) {
      return RowStatistics{b.p.mean[row], b.p.rstd[row]};
    });
    const auto* rows = block_rows(local, normed, scratch_of<Operand<T>>(kRows, elements));
    gemm_tn_block(n, k, k, grad, k, rows, k, dweight, k, add);
    col_sum_block(n, k, grad, k, dbias, add);
    add = true;
    float* tokens = scratch(kResults, elements);
    multiply_rows(local, grad, b.packed[i]->data(), nullptr, scratch(kProduct, elements), tokens);
    accumulate_grad(layout, first, last, tokens, i == 0, b.dnormed);
  });
}

// LayerNorm backward, in place if dnormed is dx.
template <class T>
void backward_norm(const Backward<T>& b, const Segment& segment, float* sums, bool first) {
  const int64_t c = b.p.at.channels, n = b.p.at.frame_tokens();
  if (first) clear_row(sums + b.sum.dgamma, 2 * c);
  for (int64_t row = segment.begin(n); row < segment.end(n); ++row) {
    const T* residual = b.p.residual ? b.p.residual + row * c : nullptr;
    normalise_row_backward(b.p.x + row * c, c, {b.p.mean[row], b.p.rstd[row]}, b.p.gamma, b.dnormed + row * c, residual,
                           b.p.dx + row * c, sums + b.sum.dgamma, sums + b.sum.dbeta);
  }
}

// The backward has one step per branch and one for LayerNorm. If a frame has several segments, they synchronise after
// each step, since a token may belong to different segments in different branches.
template <class T>
void run_steps(const Backward<T>& b, int64_t segments, SplitReducer& sums) {
  const int64_t branches = b.p.at.branches();
  const auto run = [&](int64_t from, int64_t to) {
    sums.run([&](int64_t index, float* part, bool first) {
      const Segment segment(b.p.at, segments, index);
      for (int64_t i = from; i < std::min(to, branches); ++i) backward_branch(b, segment, i, part, first);
      if (to > branches) backward_norm(b, segment, part, first);
    });
  };
  if (segments == 1) return run(0, branches + 1);
  for (int64_t i = 0; i <= branches; ++i) run(i, i + 1);
}

}  // namespace

template <class T>
void norm_spatial_branches(const NormSpatialBranchesOf<T>& p) {
  if (p.at.frames() >= kMinFramesForTiles) return norm_spatial_branches_in_tiles(p);
  const auto packed = packed_weights<Operand<T>>(p.at, p.weight, Use::forward);
  const int64_t segments = segments_for(p.at, 64), tasks = p.at.frames() * segments;
  std::vector<float> sums(static_cast<size_t>(tasks * p.at.channels), 0.0f);
  parallel_for(tasks, [&](int64_t index) {
    for (int64_t i = 0; i < p.at.branches(); ++i)
      forward_branch(p, Segment(p.at, segments, index), i, packed[i]->data(), &sums[index * p.at.channels]);
  });
  pool_segments(p, sums, segments);
}
FOR_FLOATS(norm_spatial_branches, NormSpatialBranches)

template <class T>
void norm_spatial_branches_backward(const NormSpatialBranchesBackwardOf<T>& p) {
  if (p.at.frames() >= kMinFramesForTiles) return norm_spatial_branches_backward_in_tiles(p);
  const int64_t c = p.at.channels, segments = segments_for(p.at, 16);
  std::vector<float> gradient(static_cast<size_t>(std::is_same_v<T, float> ? 0 : p.at.tokens() * c));
  float* dnormed = gradient.data();
  if constexpr (std::is_same_v<T, float>) dnormed = p.dx;
  const Backward<T> b{p, by_branch(p.weights, p.at.clips, c, p.at.branches()),
                      packed_weights<Operand<T>>(p.at, p.weight, Use::backward), BranchSums(p.at), dnormed};
  SplitReducer sums(p.at.frames() * segments, b.sum.total);
  run_steps(b, segments, sums);
  reduce_branches(p, b.sum, sums);
}
FOR_FLOATS(norm_spatial_branches_backward, NormSpatialBranchesBackward)

}  // namespace morphmlp::MORPHMLP_ISA
