// The frames of a token tensor [clips, steps, H, W, C] in tiles that hold the chunks of all branches whole and stay in
// L2.
#pragma once
#include "cpu/ops/branches.h"
#include "cpu/split_reduce.h"
#include "ops/norm_spatial.h"

namespace morphmlp::MORPHMLP_ISA {

constexpr int64_t kTokensPerBlock = 112;

// A frame is cut into tiles of L x L tokens where it is a multiple of them: such a tile holds its row chunks and its
// column chunks whole, and is a small frame of its own. Elsewhere a tile is a whole frame, or a few where they are
// small.
struct Tiles {
  explicit Tiles(const NormSpatialShape& at) : frame(at) {
    const bool cut = !at.strided && at.height % at.chunk == 0 && at.width % at.chunk == 0;
    if (cut) frame.height = frame.width = at.chunk;
    across = at.width / frame.width;
    per_frame = at.height / frame.height * across;
    frames = per_frame > 1 ? 1 : std::max<int64_t>(1, kTokensPerBlock / frame.frame_tokens());
    count = blocks_of(at.frames(), frames) * per_frame;
  }
  NormSpatialShape frame;  // the part of one frame that a tile holds, as a frame of its own
  int64_t across, per_frame, frames, count;
};

// Where the tokens of a tile lie in the whole tensor.
struct TilePlace {
  TilePlace(const NormSpatialShape& at, const Tiles& tiles, int64_t index) : at(at), part(tiles.frame) {
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
  // The row of a token soon after, to be asked for: a tile is a part of each of its frame's lines.
  int64_t row_ahead(int64_t token) const { return rows_[std::min(token + 4, tokens - 1)]; }
  int64_t clip_of(int64_t frame) const { return (first + frame) / at.steps; }  // of the tile's frames
  int64_t clip_of_token(int64_t token) const { return clip_of(frames == 1 ? 0 : token / part.frame_tokens()); }

  const NormSpatialShape &at, &part;
  int64_t first, frames, tokens;

 private:
  std::vector<int64_t> rows_;  // divisions for each token would cost as much as a tenth of an FC
};

// The two kernels of a training step over tiles, for tensors of frames enough to give threads work
// (norm_spatial_tiles.cc). A shape alone decides which way is taken.
constexpr int64_t kFramesForTiles = 4;
void norm_spatial_branches_in_tiles(const NormSpatialBranches& p);
void norm_spatial_branches_backward_in_tiles(const NormSpatialBranchesBackward& p);

// What these share with the way over frames (norm_spatial.cc).
// pooled[clip] = the sums of its frames' `segments` segments, [frame][segment][C], in order, over the clip's tokens.
void pool_segments(const NormSpatialBranches& p, const std::vector<float>& sums, int64_t segments);
void reduce_branches(const NormSpatialBranchesBackward& p, const BranchSums& at, const PartialSums& sums);

}  // namespace morphmlp::MORPHMLP_ISA
