// The branches of norm_spatial and their backward over tiles: a tile is normed once for all branches, and the gradients
// of its normed tokens are added up in cache.
#include "cpu/ops/branch_weights.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/ops/spatial_tiles.h"
#include "cpu/gemm/unit_block.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kNormed, kTokens, kRows, kProduct, kGrad, kGradRows };

// Rows of a block. The backward's pay for passing over the weight gradients once.
constexpr int64_t kForwardRows = 112, kBackwardRows = 196;

std::vector<RowUnits> units_of(const Tiles& tiles) {
  std::vector<RowUnits> units;
  for (int64_t i = 0; i < tiles.frame.branches(); ++i) units.push_back(branch_units(tiles.frame, i));
  return units;
}

// body(first, last) for equal blocks of a tile's units that make at most `rows` rows where a unit does not make more.
template <class F>
void for_unit_blocks(const RowUnits& units, const TilePlace& tile, int64_t rows, F&& body) {
  const int64_t n = tile.frames * units.chunks, blocks = std::min(n, blocks_of(n * units.groups, rows));
  for (int64_t i = 0; i < blocks; ++i) body(i * n / blocks, (i + 1) * n / blocks);
}

// The FC's rows of units [first, last) out of the tile's tokens.
const float* rows_of(const RowUnits& units, int64_t first, int64_t last, const float* tokens) {
  if (units.runs == 1) return tokens + first * units.channels;
  float* rows = scratch(kRows, (last - first) * units.groups * units.row_length());
  gather_units(units, first, last, tokens, rows);
  return rows;
}

struct Forward {
  explicit Forward(const NormSpatialBranches& p)
      : p(p),
        tiles(p.at),
        units(units_of(tiles)),
        packed(packed_weights(p.at, p.weight, Use::forward)),
        ones(static_cast<size_t>(p.at.channels), 1.0f),
        zeros(static_cast<size_t>(p.at.channels)),
        sums(static_cast<size_t>(p.at.frames() * tiles.per_frame * p.at.channels)) {}
  const NormSpatialBranches& p;
  Tiles tiles;
  std::vector<RowUnits> units;
  PackedWeights packed;
  std::vector<float> ones, zeros, sums;  // sums [frame][tile of it][C]
};

const float* normalise_tile(const NormSpatialBranches& p, const TilePlace& tile) {
  const int64_t c = p.at.channels;
  float* normed = scratch(kNormed, tile.tokens * c);
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

// Branch i at the tile's tokens; the channel branch without its bias.
const float* compute_branch(const Forward& f, const TilePlace& tile, int64_t i, const float* normed) {
  const RowUnits& units = f.units[i];
  const int64_t k = units.row_length();
  float* results = scratch(kTokens, tile.tokens * units.channels);
  for_unit_blocks(units, tile, kForwardRows, [&](int64_t first, int64_t last) {
    const int64_t n = (last - first) * units.groups;
    float* product = units.runs == 1 ? results + first * k : scratch(kProduct, n * k);
    gemm_block(n, k, k, rows_of(units, first, last, normed), k, f.packed[i]->data(), product, k, false);
    if (units.runs > 1) add_weighted_units(units, first, last, product, f.ones.data(), f.p.bias[i], false, results);
  });
  return results;
}

// Puts a branch into its tensor, and adds each frame's tokens to that frame's sum.
void store_branch(Forward& f, const TilePlace& tile, int64_t index, int64_t i, const float* results) {
  const int64_t c = f.p.at.channels, of_frame = tile.part.frame_tokens();
  float* branch = f.p.branch + i * f.p.at.tokens() * c;
  const float* bias = is_channel_branch(f.p.at, i) && f.p.bias[i] ? f.p.bias[i] : f.zeros.data();
  for (int64_t t = 0; t < tile.tokens; ++t, results += c) {
    const int64_t segment = (tile.first + t / of_frame) * f.tiles.per_frame + index % f.tiles.per_frame;
    float *to = branch + tile.row(t) * c, *sum = &f.sums[segment * c];
    prefetch_row<true>(branch + tile.row_ahead(t) * c, c);
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      const V value = add(get(results + j), get(bias + j));
      put(to + j, value);
      put(sum + j, add(get(sum + j), value));
    });
  }
}

struct Backward {
  explicit Backward(const NormSpatialBranchesBackward& p)
      : p(p),
        tiles(p.at),
        units(units_of(tiles)),
        packed(packed_weights(p.at, p.weight, Use::backward)),
        weights(by_branch(p.weights, p.at.clips, p.at.channels, p.at.branches())),
        sum(p.at) {}
  const NormSpatialBranchesBackward& p;
  Tiles tiles;
  std::vector<RowUnits> units;
  PackedWeights packed;
  std::vector<float> weights;  // [clip][branch][C]
  BranchSums sum;
};

const float* normalise_tile(const NormSpatialBranchesBackward& p, const TilePlace& tile) {
  const int64_t c = p.at.channels;
  float* normed = scratch(kNormed, tile.tokens * c);
  for (int64_t t = 0; t < tile.tokens; ++t) {
    const int64_t row = tile.row(t);
    prefetch_row(p.x + tile.row_ahead(t) * c, c);
    normalise_row(p.x + row * c, c, {p.mean[row], p.rstd[row]}, p.gamma, p.beta, normed + t * c);
  }
  return normed;
}

// The rows of branch i's gradient, weights * dmix + dpooled / tokens, at units [first, last).
const float* grad_rows(const Backward& b, const TilePlace& tile, int64_t i, int64_t first, int64_t last) {
  const RowUnits& units = b.units[i];
  const int64_t c = units.channels;
  const V share = set1(1.0f / static_cast<float>(b.p.at.clip_tokens()));
  float* grad = scratch(kTokens, (last - first) * units.runs * c);
  for_block_tokens(units, first, last, [&](int64_t n, int64_t token) {
    float* to = grad + n * c;
    if (token < 0) return clear_row(to, c);
    const int64_t clip = tile.clip_of_token(token);
    const float* w = &b.weights[(clip * b.p.at.branches() + i) * c];
    const float *from = b.p.dmix + tile.row(token) * c, *pooled = b.p.dpooled + clip * c;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(to + j, fma(get(w + j), get(from + j), mul(share, get(pooled + j))));
    });
  });
  const RowUnits local = block_units(units, last - first);
  return block_rows(local, grad, scratch(kGradRows, local.frame_tokens * c));
}

// Of one branch: its sums, and dnormed (+)= the gradient of the normed tokens; branch 0 overwrites.
void backward_branch(const Backward& b, const TilePlace& tile, int64_t i, const float* normed, float* dnormed,
                     float* dweight, bool fresh) {
  const RowUnits& units = b.units[i];
  const int64_t k = units.row_length();
  for_unit_blocks(units, tile, kBackwardRows, [&](int64_t first, int64_t last) {
    const int64_t n = (last - first) * units.groups;
    const float* grad = grad_rows(b, tile, i, first, last);
    gemm_tn_block(n, k, k, grad, k, rows_of(units, first, last, normed), k, dweight, k, !fresh);
    col_sum_block(n, k, grad, k, dweight + b.sum.weight, !fresh);
    fresh = false;
    float* product = units.runs == 1 ? dnormed + first * k : scratch(kProduct, n * k);
    if (units.runs > 1 && i > 0) gather_units(units, first, last, dnormed, product);
    gemm_block(n, k, k, grad, k, b.packed[i]->data(), product, k, i > 0);
    if (units.runs > 1) scatter_units(units, first, last, product, dnormed);
  });
}

void backward_norm(const Backward& b, const TilePlace& tile, const float* dnormed, float* sums, bool fresh) {
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

void norm_spatial_branches_in_tiles(const NormSpatialBranches& p) {
  Forward f(p);
  parallel_for(f.tiles.count, [&](int64_t index) {
    const TilePlace tile(p.at, f.tiles, index);
    const float* normed = normalise_tile(p, tile);
    for (int64_t i = 0; i < p.at.branches(); ++i) store_branch(f, tile, index, i, compute_branch(f, tile, i, normed));
  });
  pool_segments(p, f.sums, f.tiles.per_frame);
}

void norm_spatial_branches_backward_in_tiles(const NormSpatialBranchesBackward& p) {
  const Backward b(p);
  PartialSums sums(b.tiles.count, b.sum.total);
  sums.run([&](int64_t index, float* part, bool fresh) {
    const TilePlace tile(p.at, b.tiles, index);
    const float* normed = normalise_tile(p, tile);
    float* dnormed = scratch(kGrad, tile.tokens * p.at.channels);
    for (int64_t i = 0; i < p.at.branches(); ++i)
      backward_branch(b, tile, i, normed, dnormed, part + i * b.sum.branch, fresh);
    backward_norm(b, tile, dnormed, part, fresh);
  });
  reduce_branches(p, b.sum, sums);
}

}  // namespace morphmlp::MORPHMLP_ISA
