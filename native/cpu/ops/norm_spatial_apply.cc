#include "cpu/gemm/chunk_block.h"
#include "cpu/gemm/gemm.h"
#include "cpu/ops/branch_weights.h"
#include "cpu/ops/branches.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/ops/spatial_tiles.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kNormed, kMix, kRows, kProduct };

// Arguments shared by all tiles.
struct Apply {
  explicit Apply(const NormSpatialApply& p)
      : p(p),
        tiles(p.at),
        packed(packed_weights(p.at, p.weight, Use::forward)),
        proj(packed_weight(*p.proj, p.at.channels, p.at.channels, Use::forward)),
        weights(by_branch(p.weights, p.at.clips, p.at.channels, p.at.branches())) {
    for (int64_t i = 0; i < p.at.branches(); ++i) layouts.push_back(branch_layout(tiles.frame, i));
  }
  const NormSpatialApply& p;
  Tiles tiles;
  PackedWeights packed;
  std::shared_ptr<PackedWeight> proj;
  std::vector<float> weights;  // [clip][branch][C]
  std::vector<MorphLayout> layouts;
};

// Scratch of one tile: its normalised tokens and the accumulated mix of the branches.
struct Tile : TileTokens {
  Tile(const Apply& a, int64_t index)
      : TileTokens(a.p.at, a.tiles, index),
        normed(scratch(kNormed, tokens * at.channels)),
        mix(scratch(kMix, tokens * at.channels)) {}
  float *normed, *mix;
};

void normalise_tokens(const Apply& a, const Tile& tile, int64_t begin, int64_t end) {
  const int64_t c = a.p.at.channels;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = tile.row(i);
    prefetch_row(a.p.xt + tile.row_ahead(i) * c, c);
    normalise_row(a.p.xt + row * c, c, {a.p.mean[row], a.p.rstd[row]}, a.p.gamma, a.p.beta, tile.normed + i * c);
  }
}

// mix += w * (FC(chunks) + bias); branch 0 overwrites mix.
void mix_chunks(const Apply& a, const Tile& tile, int64_t branch, int64_t first, int64_t last) {
  const MorphLayout& layout = a.layouts[branch];
  const int64_t k = layout.row_length(), n = (last - first) * layout.groups;
  const float* rows = tile.normed + first * k;
  if (layout.chunk_tokens > 1) {
    float* gathered = scratch(kRows, n * k);
    gather_chunks(layout, first, last, tile.normed, gathered);
    rows = gathered;
  }
  float* product = scratch(kProduct, n * k);
  gemm_block(n, k, k, rows, k, a.packed[branch]->data(), product, k, false);
  for (int64_t from = first; from < last;) {  // the branch weights are per clip
    const int64_t frame = from / layout.chunks_per_frame, to = std::min(last, (frame + 1) * layout.chunks_per_frame);
    const float* w = &a.weights[(tile.clip_of(frame) * a.p.at.branches() + branch) * a.p.at.channels];
    scatter_weighted(layout, from, to, product + (from - first) * layout.groups * k, w, a.p.bias[branch], branch > 0,
                     tile.mix);
    from = to;
  }
}

void project_tokens(const Apply& a, const Tile& tile, int64_t begin, int64_t end) {
  const int64_t c = a.p.at.channels;
  float* out = scratch(kProduct, (end - begin) * c);
  gemm_block(end - begin, c, c, tile.mix + begin * c, c, a.proj->data(), out, c, false);
  for (int64_t i = begin; i < end; ++i, out += c) {
    const V scale = set1(a.p.scale ? a.p.scale[tile.clip_of_token(i)] : 1.0f);
    const float *x = a.p.x + tile.row(i) * c, *from = out;
    float* y = a.p.y + tile.row(i) * c;
    prefetch_row(a.p.x + tile.row_ahead(i) * c, c);
    prefetch_row<true>(a.p.y + tile.row_ahead(i) * c, c);
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(y + j, fma(scale, add(get(from + j), get(a.p.proj_bias + j)), get(x + j)));
    });
  }
}

// `each(tasks, body)` runs the blocks of a step, serially or on the thread pool, with the same bits.
template <class Each>
void run_tile(const Apply& a, const Tile& tile, Each&& each) {
  const auto blocks = [&](int64_t n, int64_t size, auto&& body) {
    each(blocks_of(n, size), [&](int64_t i) { body(i * size, std::min(n, (i + 1) * size)); });
  };
  blocks(tile.tokens, kTokensPerBlock, [&](int64_t from, int64_t to) { normalise_tokens(a, tile, from, to); });
  for (int64_t i = 0; i < a.p.at.branches(); ++i)
    blocks(tile.frames * a.layouts[i].chunks_per_frame, chunks_per_block(a.layouts[i]),
           [&](int64_t from, int64_t to) { mix_chunks(a, tile, i, from, to); });
  blocks(tile.tokens, kTokensPerBlock, [&](int64_t from, int64_t to) { project_tokens(a, tile, from, to); });
}

}  // namespace

// Parallel over tiles if they balance, else over the blocks of each tile.
void norm_spatial_apply(const NormSpatialApply& p) {
  const Apply a(p);
  const int64_t tiles = a.tiles.count;
  const auto serial = [](int64_t n, auto&& body) {
    for (int64_t i = 0; i < n; ++i) body(i);
  };
  const auto parallel = [](int64_t n, auto&& body) { parallel_for(n, [&](int64_t i) { body(i); }); };
  if (tiles % thread_count() == 0 || tiles >= 8 * thread_count())
    return parallel_for(tiles, [&](int64_t index) { run_tile(a, Tile(a, index), serial); });
  for (int64_t index = 0; index < tiles; ++index) run_tile(a, Tile(a, index), parallel);
}

}  // namespace morphmlp::MORPHMLP_ISA
