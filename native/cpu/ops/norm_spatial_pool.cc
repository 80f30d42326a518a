#include "cpu/ops/branches.h"
#include "cpu/gemm/gemm.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/gemm/packed_weight.h"
#include "cpu/gemm/unit_block.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kSums, kRows, kProduct };

// The tokens of a frame by their place in a branch's chunks. Chunks have all L tokens or, at the end of a frame that
// they do not divide, fewer: so there are up to two kinds, and each place of each kind is a slot of its own.
struct Places {
  Places(const NormSpatialShape& at, int64_t branch) : units(branch_units(at, branch)), slot(at.frame_tokens()) {
    UnitTokens tokens(units);
    for (int64_t j = 0; j < units.chunks; ++j) {
      const int64_t* token = tokens.of(j);
      const int64_t valid = std::count_if(token, token + units.runs, [](int64_t t) { return t >= 0; });
      if (kinds.empty() || (kinds.back().valid != valid && kinds[0].valid != valid)) kinds.push_back({valid, 0});
      const int64_t kind = kinds[0].valid == valid ? 0 : 1;
      ++kinds[kind].chunks;
      for (int64_t l = 0; l < valid; ++l) slot[token[l]] = static_cast<int32_t>(kind * units.runs + l);
    }
  }

  struct Kind {
    int64_t valid, chunks;  // tokens of such a chunk, and how many there are in a frame
  };
  int64_t slots() const { return static_cast<int64_t>(kinds.size()) * units.runs; }

  RowUnits units;
  std::vector<int32_t> slot;
  std::vector<Kind> kinds;
};

// A branch whose outputs at all tokens of a chunk are added up is, for each kind of chunk, an FC from C to S channels a
// group: weight[s][k] = the sum over l < valid of W[l S + s][k]. Kept beside W: to sum it anew for each clip means to
// read all of W from memory, on one thread, for a product of a few rows.
struct SummedFc {
  SummedFc(const Places& places, Buffer& w, const float* b)
      : bias(places.kinds.size(), std::vector<float>(static_cast<size_t>(places.units.run))),
        step(packed_weight_size(places.units.run, places.units.channels)) {
    const int64_t run = places.units.run, c = places.units.channels;
    WeightMatrix matrix{run, c};
    for (size_t kind = 0; kind < places.kinds.size(); ++kind) {
      const int64_t valid = matrix.summed[kind] = places.kinds[kind].valid;
      for (int64_t row = 0; b && row < valid * run; ++row) bias[kind][row % run] += b[row];
    }
    weights = packed_weight(w, matrix, Use::pooled, [&](const float* from) {
      auto packed = std::make_shared<PackedWeight>(matrix, static_cast<int64_t>(places.kinds.size()) * step);
      for (size_t kind = 0; kind < places.kinds.size(); ++kind)
        sum_places(from, run, c, matrix.summed[kind], packed->data() + static_cast<int64_t>(kind) * step);
      return packed;
    });
  }

  static void sum_places(const float* w, int64_t run, int64_t c, int64_t valid, float* packed) {
    std::vector<float> sum(static_cast<size_t>(run * c));
    for (int64_t row = 0; row < valid * run; ++row) add_row(&sum[row % run * c], w + row * c, c);
    pack_weight(sum.data(), run, c, c, 1, packed);
  }

  const float* weight(size_t kind) const { return weights->data() + static_cast<int64_t>(kind) * step; }

  std::vector<std::vector<float>> bias;  // by kind
  int64_t step;
  std::shared_ptr<PackedWeight> weights;
};

// What all frames share.
struct Pool {
  explicit Pool(const NormSpatialPool& p) : p(p) {
    for (int64_t i = 0; i + 1 < p.at.branches(); ++i) {
      places.emplace_back(p.at, i);
      fcs.emplace_back(places[i], *p.weight[i], p.bias[i]);
    }
  }
  const NormSpatialPool& p;
  std::vector<Places> places;
  std::vector<SummedFc> fcs;
};

// sums[branch][slot][C] = the sum of xhat, the normed tokens before gamma and beta, over the frame's tokens of a slot.
void sum_frame(const Pool& pool, int64_t frame, float* const* sums) {
  const NormSpatialPool& p = pool.p;
  const int64_t c = p.at.channels, n = p.at.frame_tokens();
  for (size_t i = 0; i < pool.places.size(); ++i) clear_row(sums[i], pool.places[i].slots() * c);
  for (int64_t t = 0; t < n; ++t) {
    const int64_t row = frame * n + t;
    const float* x = p.x + row * c;
    const RowStatistics s = row_statistics(x, c, p.eps);
    p.mean[row] = s.mean;
    p.rstd[row] = s.rstd;
    const V mean = set1(s.mean), rstd = set1(s.rstd);
    float* first = sums[0] + pool.places[0].slot[t] * c;
    float* second = pool.places.size() > 1 ? sums[1] + pool.places[1].slot[t] * c : nullptr;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      const V xhat = mul(sub(get(x + j), mean), rstd);
      put(first + j, add(get(first + j), xhat));
      if (second) put(second + j, add(get(second + j), xhat));
    });
  }
}

// Turns sums of xhat into sums of LN(x).
void finish_sums(const Pool& pool, const Places& places, float* sums) {
  const int64_t c = pool.p.at.channels;
  for (size_t kind = 0; kind < places.kinds.size(); ++kind)
    for (int64_t l = 0; l < places.kinds[kind].valid; ++l) {
      float* row = sums + (static_cast<int64_t>(kind) * places.units.runs + l) * c;
      const V count = set1(static_cast<float>(places.kinds[kind].chunks));
      for_lanes(c, [&](int64_t j, auto get, auto put) {
        put(row + j, fma(get(row + j), get(pool.p.gamma + j), mul(count, get(pool.p.beta + j))));
      });
    }
}

// total[g S + s] += the outputs of a spatial branch, summed over the frame's tokens.
void add_spatial(const Places& places, const SummedFc& fc, const float* sums, float* total) {
  const RowUnits one = block_units(places.units, 1);
  const int64_t groups = one.groups, run = one.run, c = one.channels;
  float *rows = scratch(kRows, one.runs * c), *product = scratch(kProduct, c);
  for (size_t kind = 0; kind < places.kinds.size(); ++kind) {
    const float* from = sums + static_cast<int64_t>(kind) * one.runs * c;
    gemm_block(groups, run, c, block_rows(one, from, rows), c, fc.weight(kind), product, run, false);
    const auto chunks = static_cast<float>(places.kinds[kind].chunks);
    for (int64_t i = 0; i < c; ++i) total[i] += product[i] + chunks * fc.bias[kind][i % run];
  }
}

// Of a frame, over its tokens: the sum of the spatial branches' outputs, then that of LN(x), each [C]. Every token is
// in one slot of branch 0.
void pool_frame(const Pool& pool, int64_t frame, float* total) {
  const int64_t c = pool.p.at.channels;
  int64_t floats = 0;
  for (const Places& places : pool.places) floats += places.slots() * c;
  float* sums[kMaxBranches] = {scratch(kSums, floats)};
  if (pool.places.size() > 1) sums[1] = sums[0] + pool.places[0].slots() * c;
  sum_frame(pool, frame, sums);
  for (size_t i = 0; i < pool.places.size(); ++i) {
    finish_sums(pool, pool.places[i], sums[i]);
    add_spatial(pool.places[i], pool.fcs[i], sums[i], total);
  }
  for (int64_t slot = 0; slot < pool.places[0].slots(); ++slot) add_row(total + c, sums[0] + slot * c, c);
}

// mean[clip][width] = the sum of the clip's frames, in order, over its tokens.
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

void norm_spatial_pool(const NormSpatialPool& p) {
  const Pool pool(p);
  const int64_t c = p.at.channels, clips = p.at.clips;
  std::vector<float> frames(static_cast<size_t>(p.at.frames() * 2 * c));
  parallel_for(p.at.frames(), [&](int64_t frame) { pool_frame(pool, frame, &frames[frame * 2 * c]); });
  const std::vector<float> mean = clip_means(p.at, frames, 2 * c);
  const auto channel = packed_weight(*p.weight[p.at.branches() - 1], c, c, Use::forward);
  const float* bias = p.bias[p.at.branches() - 1];
  gemm_block(clips, c, c, mean.data() + c, 2 * c, channel->data(), p.pooled, c, false);
  for (int64_t clip = 0; clip < clips; ++clip) {
    add_row(p.pooled + clip * c, &mean[clip * 2 * c], c);
    if (bias) add_row(p.pooled + clip * c, bias, c);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
