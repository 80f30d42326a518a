#include "cpu/gemm/chunk_block.h"
#include "cpu/gemm/gemm.h"
#include "cpu/gemm/packed_weight.h"
#include "cpu/ops/branches.h"
#include "cpu/ops/norm_rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kSums, kRows, kProduct };

// Slot of each token of a frame: its position within its chunk and the kind of that chunk. Chunks have L tokens or, at
// the end of a frame whose size L does not divide, fewer: up to two kinds, with L slots each.
struct ChunkSlots {
  ChunkSlots(const NormSpatialShape& at, int64_t branch) : layout(branch_layout(at, branch)), slot(at.frame_tokens()) {
    TokenIndices tokens(layout);
    for (int64_t j = 0; j < layout.chunks_per_frame; ++j) {
      const int64_t* token = tokens.of(j);
      const int64_t valid = std::count_if(token, token + layout.chunk_tokens, [](int64_t t) { return t >= 0; });
      if (kinds.empty() || (kinds.back().valid != valid && kinds[0].valid != valid)) kinds.push_back({valid, 0});
      const int64_t kind = kinds[0].valid == valid ? 0 : 1;
      ++kinds[kind].chunks;
      for (int64_t l = 0; l < valid; ++l) slot[token[l]] = static_cast<int32_t>(kind * layout.chunk_tokens + l);
    }
  }

  struct Kind {
    int64_t valid, chunks;  // tokens per chunk of this kind, and chunks per frame
  };
  int64_t count() const { return static_cast<int64_t>(kinds.size()) * layout.chunk_tokens; }

  MorphLayout layout;
  std::vector<int32_t> slot;
  std::vector<Kind> kinds;
};

// The sum of a branch's outputs over the tokens of a chunk is, per kind of chunk, an FC from C to S channels:
// weight[s][k] = sum over l < valid of W[l S + s][k]. Cached in W's buffer: recomputing it per clip would read all of W
// from memory, on one thread, for a GEMM of a few rows.
struct SummedFc {
  SummedFc(const ChunkSlots& slots, Buffer& w, const float* b)
      : bias(slots.kinds.size(), std::vector<float>(static_cast<size_t>(slots.layout.group_channels))),
        step(packed_weight_size(slots.layout.group_channels, slots.layout.channels)) {
    const int64_t s = slots.layout.group_channels, c = slots.layout.channels;
    WeightMatrix matrix{s, c};
    for (size_t kind = 0; kind < slots.kinds.size(); ++kind) {
      const int64_t valid = matrix.summed[kind] = slots.kinds[kind].valid;
      for (int64_t row = 0; b && row < valid * s; ++row) bias[kind][row % s] += b[row];
    }
    weights = packed_weight<float>(w, matrix, Use::pooled, [&](const float* from) {
      auto packed = std::make_shared<PackedWeight<float>>(matrix, static_cast<int64_t>(slots.kinds.size()) * step);
      for (size_t kind = 0; kind < slots.kinds.size(); ++kind)
        pack_summed(from, s, c, matrix.summed[kind], packed->data() + static_cast<int64_t>(kind) * step);
      return packed;
    });
  }

  static void pack_summed(const float* w, int64_t s, int64_t c, int64_t valid, float* packed) {
    std::vector<float> sum(static_cast<size_t>(s * c));
    for (int64_t row = 0; row < valid * s; ++row) add_row(&sum[row % s * c], w + row * c, c);
    pack_weight(sum.data(), s, c, c, 1, packed);
  }

  const float* weight(size_t kind) const { return weights->data() + static_cast<int64_t>(kind) * step; }

  std::vector<std::vector<float>> bias;  // [kind][S]
  int64_t step;
  SharedWeight<float> weights;
};

// Arguments shared by all frames.
template <class T>
struct Pool {
  explicit Pool(const NormSpatialPoolOf<T>& p) : p(p) {
    for (int64_t i = 0; i + 1 < p.at.branches(); ++i) {
      slots.emplace_back(p.at, i);
      fcs.emplace_back(slots[i], *p.weight[i], p.bias[i]);
    }
  }
  const NormSpatialPoolOf<T>& p;
  std::vector<ChunkSlots> slots;
  std::vector<SummedFc> fcs;
};

// sums[branch][slot][C] = sum of xhat (normalised, before gamma and beta) over the frame's tokens of a slot.
template <class T>
void sum_frame(const Pool<T>& pool, int64_t frame, float* const* sums) {
  const NormSpatialPoolOf<T>& p = pool.p;
  const int64_t c = p.at.channels, n = p.at.frame_tokens();
  for (size_t i = 0; i < pool.slots.size(); ++i) clear_row(sums[i], pool.slots[i].count() * c);
  for (int64_t t = 0; t < n; ++t) {
    const int64_t row = frame * n + t;
    const T* x = p.x + row * c;
    const RowStatistics s = row_statistics(x, c, p.eps);
    p.mean[row] = s.mean;
    p.rstd[row] = s.rstd;
    const V mean = set1(s.mean), rstd = set1(s.rstd);
    float* first = sums[0] + pool.slots[0].slot[t] * c;
    float* second = pool.slots.size() > 1 ? sums[1] + pool.slots[1].slot[t] * c : nullptr;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      const V xhat = mul(sub(get(x + j), mean), rstd);
      put(first + j, add(get(first + j), xhat));
      if (second) put(second + j, add(get(second + j), xhat));
    });
  }
}

// Converts sums of xhat to sums of LN(x).
template <class T>
void apply_affine(const Pool<T>& pool, const ChunkSlots& slots, float* sums) {
  const int64_t c = pool.p.at.channels;
  for (size_t kind = 0; kind < slots.kinds.size(); ++kind)
    for (int64_t l = 0; l < slots.kinds[kind].valid; ++l) {
      float* row = sums + (static_cast<int64_t>(kind) * slots.layout.chunk_tokens + l) * c;
      const V count = set1(static_cast<float>(slots.kinds[kind].chunks));
      for_lanes(c, [&](int64_t j, auto get, auto put) {
        put(row + j, fma(get(row + j), get(pool.p.gamma + j), mul(count, get(pool.p.beta + j))));
      });
    }
}

// total[g S + s] += sum over the frame's tokens of the outputs of a spatial branch.
void add_spatial(const ChunkSlots& slots, const SummedFc& fc, const float* sums, float* total) {
  const MorphLayout one = block_layout(slots.layout, 1);
  const int64_t groups = one.groups, s = one.group_channels, c = one.channels;
  float *rows = scratch(kRows, one.chunk_tokens * c), *product = scratch(kProduct, c);
  for (size_t kind = 0; kind < slots.kinds.size(); ++kind) {
    const float* from = sums + static_cast<int64_t>(kind) * one.chunk_tokens * c;
    gemm_block(groups, s, c, block_rows(one, from, rows), c, fc.weight(kind), product, s, false);
    const auto chunks = static_cast<float>(slots.kinds[kind].chunks);
    for (int64_t i = 0; i < c; ++i) total[i] += product[i] + chunks * fc.bias[kind][i % s];
  }
}

// total[2][C] = sum over the frame's tokens of the spatial branches' outputs, then of LN(x). Every token has exactly
// one slot in branch 0, so the sum of those slots is the sum of LN(x).
template <class T>
void pool_frame(const Pool<T>& pool, int64_t frame, float* total) {
  const int64_t c = pool.p.at.channels;
  int64_t floats = 0;
  for (const ChunkSlots& slots : pool.slots) floats += slots.count() * c;
  float* sums[kMaxBranches] = {scratch(kSums, floats)};
  if (pool.slots.size() > 1) sums[1] = sums[0] + pool.slots[0].count() * c;
  sum_frame(pool, frame, sums);
  for (size_t i = 0; i < pool.slots.size(); ++i) {
    apply_affine(pool, pool.slots[i], sums[i]);
    add_spatial(pool.slots[i], pool.fcs[i], sums[i], total);
  }
  for (int64_t slot = 0; slot < pool.slots[0].count(); ++slot) add_row(total + c, sums[0] + slot * c, c);
}

// mean[clip][width] = sum over the frames of a clip, in order, divided by its tokens.
std::vector<float> clip_means(const NormSpatialShape& at, const std::vector<float>& frames, int64_t width) {
  std::vector<float> mean(static_cast<size_t>(at.clips * width));
  for (int64_t i = 0; i < at.clips * width; ++i) {
    double total = 0;
    for (int64_t t = 0; t < at.steps; ++t) total += frames[(i / width * at.steps + t) * width + i % width];
    mean[i] = static_cast<float>(total / static_cast<double>(at.clip_tokens()));
  }
  return mean;
}

}  // namespace

template <class T>
void norm_spatial_pool(const NormSpatialPoolOf<T>& p) {
  const Pool<T> pool(p);
  const int64_t c = p.at.channels, clips = p.at.clips;
  std::vector<float> frames(static_cast<size_t>(p.at.frames() * 2 * c));
  parallel_for(p.at.frames(), [&](int64_t frame) { pool_frame(pool, frame, &frames[frame * 2 * c]); });
  const std::vector<float> mean = clip_means(p.at, frames, 2 * c);
  // In f32 also for bf16: the slot `forward` then holds the weight that norm_spatial_apply reads.
  const Use use = std::is_same_v<T, float> ? Use::forward : Use::pooled;
  const auto channel = packed_weight<float>(*p.weight[p.at.branches() - 1], c, c, use);
  const float* bias = p.bias[p.at.branches() - 1];
  gemm_block(clips, c, c, mean.data() + c, 2 * c, channel->data(), p.pooled, c, false);
  for (int64_t clip = 0; clip < clips; ++clip) {
    add_row(p.pooled + clip * c, &mean[clip * 2 * c], c);
    if (bias) add_row(p.pooled + clip * c, bias, c);
  }
}
FOR_FLOATS(norm_spatial_pool, NormSpatialPool)

}  // namespace morphmlp::MORPHMLP_ISA
