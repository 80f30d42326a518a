// Tiles of the frames of a token tensor [clips, steps, H, W, C]. A tile contains whole chunks of all branches and fits
// L2.
#pragma once
#include "cpu/ops/branches.h"
#include "cpu/split_reduce.h"
#include "ops/norm_spatial.h"

namespace morphmlp::MORPHMLP_ISA {

constexpr int64_t kTokensPerBlock = 112;

// If H and W are multiples of L, a tile has L x L tokens: it contains whole row chunks and whole column chunks, so it
// can be processed as a small frame. Otherwise a tile is one frame, or several if they are small.
struct Tiles {
  explicit Tiles(const NormSpatialShape& at) : frame(at) {
    const bool cut = !at.strided && at.height % at.chunk == 0 && at.width % at.chunk == 0;
    if (cut) frame.height = frame.width = at.chunk;
    across = at.width / frame.width;
    per_frame = at.height / frame.height * across;
    frames = per_frame > 1 ? 1 : std::max<int64_t>(1, kTokensPerBlock / frame.frame_tokens());
    count = blocks_of(at.frames(), frames) * per_frame;
  }
  NormSpatialShape frame;  // a tile as a frame: its part of one frame
  int64_t across, per_frame, frames, count;
};

// Maps the tokens of a tile to rows of the whole tensor.
struct TileTokens {
  TileTokens(const NormSpatialShape& at, const Tiles& tiles, int64_t index) : at(at), part(tiles.frame) {
    const int64_t place = index % tiles.per_frame;
    first = index / tiles.per_frame * tiles.frames;
    frames = std::min(tiles.frames, at.frames() - first);
    tokens = frames * part.frame_tokens();
    const int64_t corner =
        first * at.frame_tokens() + place / tiles.across * part.height * at.width + place % tiles.across * part.width;
    rows_.reserve(static_cast<size_t>(tokens));
    for (int64_t frame = 0; frame < frames; ++frame)
      for (int64_t h = 0; h < part.height; ++h)
        for (int64_t w = 0; w < part.width; ++w) rows_.push_back(corner + frame * at.frame_tokens() + h * at.width + w);
  }
  int64_t row(int64_t token) const { return rows_[token]; }
  // The row of a token shortly after, for prefetching.
  int64_t row_ahead(int64_t token) const { return rows_[std::min(token + 4, tokens - 1)]; }
  int64_t clip_of(int64_t frame) const { return (first + frame) / at.steps; }  // `frame` counts within the tile
  int64_t clip_of_token(int64_t token) const { return clip_of(frames == 1 ? 0 : token / part.frame_tokens()); }

  const NormSpatialShape &at, &part;
  int64_t first, frames, tokens;

 private:
  std::vector<int64_t> rows_;  // precomputed: divisions per token would cost a tenth of an FC
};

// The two training kernels over tiles (norm_spatial_tiles.cc), used from kMinFramesForTiles frames on: fewer do not
// occupy the threads.
constexpr int64_t kMinFramesForTiles = 4;
template <class T>
void norm_spatial_branches_in_tiles(const NormSpatialBranchesOf<T>& p);
template <class T>
void norm_spatial_branches_backward_in_tiles(const NormSpatialBranchesBackwardOf<T>& p);

// Shared with the kernels over frames (norm_spatial.cc). pool_segments: pooled[clip] = sum over sums[frame][segment][C]
// of the clip, in order, divided by its tokens.
template <class T>
void pool_segments(const NormSpatialBranchesOf<T>& p, const std::vector<float>& sums, int64_t segments) {
  const int64_t c = p.at.channels, count = p.at.steps * segments;
  for (int64_t i = 0; i < p.at.clips * c; ++i) {
    double total = 0;
    for (int64_t s = 0; s < count; ++s) total += sums[(i / c * count + s) * c + i % c];
    p.pooled[i] = static_cast<float>(total / static_cast<double>(p.at.clip_tokens()));
  }
}

template <class T>
void reduce_branches(const NormSpatialBranchesBackwardOf<T>& p, const BranchSums& at, const SplitReducer& sums) {
  const int64_t c = p.at.channels;
  for (int64_t i = 0; i < p.at.branches(); ++i) {
    sums.reduce(i * at.branch, at.weight, p.dweight[i]);
    if (p.dbias[i]) sums.reduce(i * at.branch + at.weight, c, p.dbias[i]);
  }
  sums.reduce(at.dgamma, c, p.dgamma);
  sums.reduce(at.dbeta, c, p.dbeta);
}

}  // namespace morphmlp::MORPHMLP_ISA
