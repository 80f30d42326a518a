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
template <class T>
struct Apply {
  explicit Apply(const NormSpatialApplyOf<T>& p)
      : p(p),
        tiles(p.at),
        packed(packed_weights<Operand<T>>(p.at, p.weight, Use::forward)),
        proj(packed_weight<Operand<T>>(*p.proj, p.at.channels, p.at.channels, Use::forward)),
        weights(by_branch(p.weights, p.at.clips, p.at.channels, p.at.branches())) {
    for (int64_t i = 0; i < p.at.branches(); ++i) layouts.push_back(branch_layout(tiles.frame, i));
  }
  const NormSpatialApplyOf<T>& p;
  Tiles tiles;
  PackedWeights<Operand<T>> packed;
  SharedWeight<Operand<T>> proj;
  std::vector<float> weights;  // [clip][branch][C]
  std::vector<MorphLayout> layouts;
};

// Scratch of one tile: its normalised tokens and the accumulated mix of the branches.
template <class T>
struct Tile : TileTokens {
  Tile(const Apply<T>& a, int64_t index)
      : TileTokens(a.p.at, a.tiles, index),
        normed(scratch_of<Operand<T>>(kNormed, tokens * at.channels)),
        mix(scratch(kMix, tokens * at.channels)) {}
  Operand<T>* normed;
  float* mix;
};

template <class T>
void normalise_tokens(const Apply<T>& a, const Tile<T>& tile, int64_t begin, int64_t end) {
  const int64_t c = a.p.at.channels;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = tile.row(i);
    prefetch_row(a.p.xt + tile.row_ahead(i) * c, c);
    normalise_row(a.p.xt + row * c, c, {a.p.mean[row], a.p.rstd[row]}, a.p.gamma, a.p.beta, tile.normed + i * c);
  }
}

// mix += w * (FC(chunks) + bias); branch 0 overwrites mix.
template <class T>
void mix_chunks(const Apply<T>& a, const Tile<T>& tile, int64_t branch, int64_t first, int64_t last) {
  const MorphLayout& layout = a.layouts[branch];
  const int64_t k = layout.row_length(), n = (last - first) * layout.groups;
  const auto* rows = tile.normed + first * k;
  if (layout.chunk_tokens > 1) {
    auto* gathered = scratch_of<Operand<T>>(kRows, n * k);
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

template <class T>
void project_tokens(const Apply<T>& a, const Tile<T>& tile, int64_t begin, int64_t end) {
  const int64_t c = a.p.at.channels, rows = end - begin;
  float* out = scratch(kProduct, rows * c);
  const auto* mix = narrow_rows<Operand<T>>(tile.mix + begin * c, rows, c);
  gemm_block(rows, c, c, mix, kNarrowed<Operand<T>> * c, a.proj->data(), out, c, false);
  for (int64_t i = begin; i < end; ++i, out += c) {
    const V scale = set1(a.p.scale ? a.p.scale[tile.clip_of_token(i)] : 1.0f);
    const T* x = a.p.x + tile.row(i) * c;
    const float* from = out;
    T* y = a.p.y + tile.row(i) * c;
    prefetch_row(a.p.x + tile.row_ahead(i) * c, c);
    prefetch_row<true>(a.p.y + tile.row_ahead(i) * c, c);
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(y + j, fma(scale, add(get(from + j), get(a.p.proj_bias + j)), get(x + j)));
    });
  }
}

// `each(tasks, body)` runs the blocks of a step, serially or on the thread pool, with the same bits.
template <class T, class Each>
void run_tile(const Apply<T>& a, const Tile<T>& tile, Each&& each) {
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
template <class T>
void norm_spatial_apply(const NormSpatialApplyOf<T>& p) {
  const Apply<T> a(p);
  const int64_t tiles = a.tiles.count;
  const auto serial = [](int64_t n, auto&& body) {
    for (int64_t i = 0; i < n; ++i) body(i);
  };
  const auto parallel = [](int64_t n, auto&& body) { parallel_for(n, [&](int64_t i) { body(i); }); };
  if (tiles % thread_count() == 0 || tiles >= 8 * thread_count())
    return parallel_for(tiles, [&](int64_t index) { run_tile(a, Tile<T>(a, index), serial); });
  for (int64_t index = 0; index < tiles; ++index) run_tile(a, Tile<T>(a, index), parallel);
}
FOR_FLOATS(norm_spatial_apply, NormSpatialApply)

}  // namespace morphmlp::MORPHMLP_ISA
