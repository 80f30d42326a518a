// The branches of norm_spatial and their backward over tiles: a tile is normalised once for all branches, and the
// gradients of its normalised tokens are accumulated in cache.
#include "cpu/gemm/chunk_block.h"
#include "cpu/ops/branch_weights.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/ops/spatial_tiles.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kNormed, kTokens, kRows, kProduct, kGrad, kGradRows };

// Rows per block. The backward needs more, to amortise reading and writing the weight gradients once per block.
constexpr int64_t kForwardRows = 112, kBackwardRows = 196;

std::vector<MorphLayout> layouts_of(const Tiles& tiles) {
  std::vector<MorphLayout> layouts;
  for (int64_t i = 0; i < tiles.frame.branches(); ++i) layouts.push_back(branch_layout(tiles.frame, i));
  return layouts;
}

// Calls body(first, last) for equal blocks of a tile's chunks of at most `rows` rows, or one chunk if it has more.
template <class F>
void for_chunk_blocks(const MorphLayout& layout, const TileTokens& tile, int64_t rows, F&& body) {
  const int64_t n = tile.frames * layout.chunks_per_frame, blocks = std::min(n, blocks_of(n * layout.groups, rows));
  for (int64_t i = 0; i < blocks; ++i) body(i * n / blocks, (i + 1) * n / blocks);
}

// The FC rows of chunks [first, last) of the tile, gathered from its tokens.
template <class E>
const E* rows_of(const MorphLayout& layout, int64_t first, int64_t last, const E* tokens) {
  if (layout.chunk_tokens == 1) return tokens + first * layout.channels;
  E* rows = scratch_of<E>(kRows, (last - first) * layout.groups * layout.row_length());
  gather_chunks(layout, first, last, tokens, rows);
  return rows;
}

template <class T>
struct Forward {
  explicit Forward(const NormSpatialBranchesOf<T>& p)
      : p(p),
        tiles(p.at),
        layouts(layouts_of(tiles)),
        packed(packed_weights<Operand<T>>(p.at, p.weight, Use::forward)),
        ones(static_cast<size_t>(p.at.channels), 1.0f),
        zeros(static_cast<size_t>(p.at.channels)),
        sums(static_cast<size_t>(p.at.frames() * tiles.per_frame * p.at.channels)) {}
  const NormSpatialBranchesOf<T>& p;
  Tiles tiles;
  std::vector<MorphLayout> layouts;
  PackedWeights<Operand<T>> packed;
  std::vector<float> ones, zeros, sums;  // sums [frame][tile][C]
};

template <class T>
const Operand<T>* normalise_tile(const NormSpatialBranchesOf<T>& p, const TileTokens& tile) {
  const int64_t c = p.at.channels;
  auto* normed = scratch_of<Operand<T>>(kNormed, tile.tokens * c);
  for (int64_t t = 0; t < tile.tokens; ++t) {
    const int64_t row = tile.row(t);
    prefetch_row(p.x + tile.row_ahead(t) * c, c);
    const RowStatistics s = row_statistics(p.x + row * c, c, p.eps);
    p.mean[row] = s.mean;
    p.rstd[row] = s.rstd;
    normalise_row(p.x + row * c, c, s, p.gamma, p.beta, normed + t * c);
  }
  return normed;
}

// Computes branch i at the tile's tokens; store_branch adds the bias of the channel branch.
template <class T>
const float* compute_branch(const Forward<T>& f, const TileTokens& tile, int64_t i, const Operand<T>* normed) {
  const MorphLayout& layout = f.layouts[i];
  const int64_t k = layout.row_length();
  float* results = scratch(kTokens, tile.tokens * layout.channels);
  for_chunk_blocks(layout, tile, kForwardRows, [&](int64_t first, int64_t last) {
    const int64_t n = (last - first) * layout.groups;
    float* product = layout.chunk_tokens == 1 ? results + first * k : scratch(kProduct, n * k);
    gemm_block(n, k, k, rows_of(layout, first, last, normed), k, f.packed[i]->data(), product, k, false);
    if (layout.chunk_tokens > 1)
      scatter_weighted(layout, first, last, product, f.ones.data(), f.p.bias[i], false, results);
  });
  return results;
}

// Scatters a branch to its tensor and accumulates the sum over the tokens of each frame.
template <class T>
void store_branch(Forward<T>& f, const TileTokens& tile, int64_t index, int64_t i, const float* results) {
  const int64_t c = f.p.at.channels, frame_tokens = tile.part.frame_tokens();
  T* branch = f.p.branch + i * f.p.at.tokens() * c;
  const float* bias = is_channel_branch(f.p.at, i) && f.p.bias[i] ? f.p.bias[i] : f.zeros.data();
  for (int64_t t = 0; t < tile.tokens; ++t, results += c) {
    const int64_t segment = (tile.first + t / frame_tokens) * f.tiles.per_frame + index % f.tiles.per_frame;
    T* to = branch + tile.row(t) * c;
    float* sum = &f.sums[segment * c];
    prefetch_row<true>(branch + tile.row_ahead(t) * c, c);
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      const V value = add(get(results + j), get(bias + j));
      put(to + j, value);
      put(sum + j, add(get(sum + j), value));
    });
  }
}

template <class T>
struct Backward {
  explicit Backward(const NormSpatialBranchesBackwardOf<T>& p)
      : p(p),
        tiles(p.at),
        layouts(layouts_of(tiles)),
        packed(packed_weights<Operand<T>>(p.at, p.weight, Use::backward)),
        weights(by_branch(p.weights, p.at.clips, p.at.channels, p.at.branches())),
        sum(p.at) {}
  const NormSpatialBranchesBackwardOf<T>& p;
  Tiles tiles;
  std::vector<MorphLayout> layouts;
  PackedWeights<Operand<T>> packed;
  std::vector<float> weights;  // [clip][branch][C]
  BranchSums sum;
};

template <class T>
const Operand<T>* normalise_tile(const NormSpatialBranchesBackwardOf<T>& p, const TileTokens& tile) {
  const int64_t c = p.at.channels;
  auto* normed = scratch_of<Operand<T>>(kNormed, tile.tokens * c);
  for (int64_t t = 0; t < tile.tokens; ++t) {
    const int64_t row = tile.row(t);
    prefetch_row(p.x + tile.row_ahead(t) * c, c);
    normalise_row(p.x + row * c, c, {p.mean[row], p.rstd[row]}, p.gamma, p.beta, normed + t * c);
  }
  return normed;
}

// FC rows of branch i's gradient, weights * dmix + dpooled / clip_tokens, for chunks [first, last).
template <class T>
const Operand<T>* grad_rows(const Backward<T>& b, const TileTokens& tile, int64_t i, int64_t first, int64_t last) {
  const MorphLayout& layout = b.layouts[i];
  const int64_t c = layout.channels;
  const V share = set1(1.0f / static_cast<float>(b.p.at.clip_tokens()));
  auto* grad = scratch_of<Operand<T>>(kTokens, (last - first) * layout.chunk_tokens * c);
  for_block_tokens(layout, first, last, [&](int64_t n, int64_t token) {
    auto* to = grad + n * c;
    if (token < 0) return clear_row(to, c);
    const int64_t clip = tile.clip_of_token(token);
    const float* w = &b.weights[(clip * b.p.at.branches() + i) * c];
    const T* from = b.p.dmix + tile.row(token) * c;
    const float* pooled = b.p.dpooled + clip * c;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(to + j, fma(get(w + j), get(from + j), mul(share, get(pooled + j))));
    });
  });
  const MorphLayout local = block_layout(layout, last - first);
  return block_rows(local, grad, scratch_of<Operand<T>>(kGradRows, local.frame_tokens * c));
}

// Accumulates the weight and bias gradients of branch i and the gradient dnormed of the normalised tokens. Branch 0
// overwrites dnormed; `fresh` sums are overwritten.
template <class T>
void backward_branch(const Backward<T>& b, const TileTokens& tile, int64_t i, const Operand<T>* normed, float* dnormed,
                     float* dweight, bool fresh) {
  const MorphLayout& layout = b.layouts[i];
  const int64_t k = layout.row_length();
  for_chunk_blocks(layout, tile, kBackwardRows, [&](int64_t first, int64_t last) {
    const int64_t n = (last - first) * layout.groups;
    const auto* grad = grad_rows(b, tile, i, first, last);
    gemm_tn_block(n, k, k, grad, k, rows_of(layout, first, last, normed), k, dweight, k, !fresh);
    col_sum_block(n, k, grad, k, dweight + b.sum.weight, !fresh);
    fresh = false;
    float* product = layout.chunk_tokens == 1 ? dnormed + first * k : scratch(kProduct, n * k);
    if (layout.chunk_tokens > 1 && i > 0) gather_chunks(layout, first, last, dnormed, product);
    gemm_block(n, k, k, grad, k, b.packed[i]->data(), product, k, i > 0);
    if (layout.chunk_tokens > 1) scatter_chunks(layout, first, last, product, k, dnormed);
  });
}

template <class T>
void backward_norm(const Backward<T>& b, const TileTokens& tile, const float* dnormed, float* sums, bool fresh) {
  const int64_t c = b.p.at.channels;
  if (fresh) clear_row(sums + b.sum.dgamma, 2 * c);
  for (int64_t t = 0; t < tile.tokens; ++t) {
    const int64_t row = tile.row(t);
    prefetch_row<true>(b.p.dx + tile.row_ahead(t) * c, c);
    normalise_row_backward(b.p.x + row * c, c, {b.p.mean[row], b.p.rstd[row]}, b.p.gamma, dnormed + t * c,
                           b.p.residual ? b.p.residual + row * c : nullptr, b.p.dx + row * c, sums + b.sum.dgamma,
                           sums + b.sum.dbeta);
  }
}

}  // namespace

template <class T>
void norm_spatial_branches_in_tiles(const NormSpatialBranchesOf<T>& p) {
  Forward<T> f(p);
  parallel_for(f.tiles.count, [&](int64_t index) {
    const TileTokens tile(p.at, f.tiles, index);
    const auto* normed = normalise_tile(p, tile);
    for (int64_t i = 0; i < p.at.branches(); ++i) store_branch(f, tile, index, i, compute_branch(f, tile, i, normed));
  });
  pool_segments(p, f.sums, f.tiles.per_frame);
}
FOR_FLOATS(norm_spatial_branches_in_tiles, NormSpatialBranches)

template <class T>
void norm_spatial_branches_backward_in_tiles(const NormSpatialBranchesBackwardOf<T>& p) {
  const Backward<T> b(p);
  SplitReducer sums(b.tiles.count, b.sum.total);
  sums.run([&](int64_t index, float* part, bool fresh) {
    const TileTokens tile(p.at, b.tiles, index);
    const auto* normed = normalise_tile(p, tile);
    float* dnormed = scratch(kGrad, tile.tokens * p.at.channels);
    for (int64_t i = 0; i < p.at.branches(); ++i)
      backward_branch(b, tile, i, normed, dnormed, part + i * b.sum.branch, fresh);
    backward_norm(b, tile, dnormed, part, fresh);
  });
  reduce_branches(p, b.sum, sums);
}
FOR_FLOATS(norm_spatial_branches_backward_in_tiles, NormSpatialBranchesBackward)

}  // namespace morphmlp::MORPHMLP_ISA
