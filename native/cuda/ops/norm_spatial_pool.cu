#include "cuda/ops/norm_spatial.h"

namespace morphmlp::cuda {
namespace {

// Positions of tokens in the chunks of a branch. Chunks hold L tokens or, where L does not divide the frame, fewer:
// there are up to two kinds of chunk, and each position of each kind is a slot.
struct ChunkPositions {
  ChunkPositions(const NormSpatialShape& at, int64_t branch)
      : layout(branch_layout(at, branch)),
        chunk(as_int(at.chunk)),
        channels(as_int(at.channels)),
        kinds(valid(0) == valid(layout.chunks - 1) ? 1 : 2) {}

  // Number of tokens of chunk j inside the frame.
  __host__ __device__ int valid(int j) const {
    if (layout.strided) return (layout.pixels - j + layout.chunks - 1) / layout.chunks;
    const int left = layout.pixels - j * chunk;
    return left < chunk ? left : chunk;
  }
  __device__ int valid_of(int kind) const { return valid(kind == 0 ? 0 : layout.chunks - 1); }
  __device__ int run() const { return channels / chunk; }
  int slots() const { return kinds * chunk; }

  MorphLayout layout;
  int chunk, channels, kinds;
};

// Sums of LN(x) over the chunks of a clip, for each slot, in parts of kEach chunks: sums[part][clip][kind][l][c]. A
// thread that added all chunks, 1,792 in stage 1, would wait for each, and too few threads would wait beside it.
template <class T>
struct SumChunkPositions {
  static constexpr int kEach = 64;

  ChunkPositions at;
  Normed<T> x;
  int clips, steps;
  float* sums;

  int64_t size() const { return int64_t{clips} * at.slots() * at.channels; }
  int64_t parts() const { return blocks_of(int64_t{steps} * at.layout.chunks, kEach); }

  __device__ void operator()(int64_t i) const {
    const int c = static_cast<int>(i % at.channels), l = static_cast<int>(i / at.channels % at.chunk);
    const int kind = static_cast<int>(i / (static_cast<int64_t>(at.channels) * at.chunk) % at.kinds);
    const int64_t clip = i / (static_cast<int64_t>(at.channels) * at.chunk * at.kinds) % clips;
    const int part = static_cast<int>(i / (static_cast<int64_t>(at.channels) * at.chunk * at.kinds * clips));
    const int valid = at.valid_of(kind), g = c / at.run(), k = l * at.run() + c % at.run();
    const int begin = part * kEach, all = steps * at.layout.chunks, end = begin + kEach < all ? begin + kEach : all;
    float sum = 0;
    for (int n = begin; n < end && l < valid; ++n) sum += value(clip * steps, n, valid, g, k);
    sums[i] = sum;
  }

 private:
  // Of chunk n of the clip that begins at frame `first`; zero for a chunk of the other kind.
  __device__ float value(int64_t first, int n, int valid, int g, int k) const {
    const int step = at.layout.by_chunks.quotient(n), j = at.layout.by_chunks.remainder(n, step);
    int64_t token;
    int channel;
    if (at.valid(j) != valid || !at.layout.locate({(first + step) * at.layout.pixels, j, g}, k, &token, &channel))
      return 0;
    return x.template read<1>(token, channel).at[0];
  }
};

struct StoreSum {
  float* to;
  __device__ void operator()(int64_t i, float value) const { to[i] = value; }
};

// Weights of an FC summed over the positions of a chunk: weight[kind][s][k] is the sum over positions l of W[l S +
// s][k], and column k = C that of the bias.
struct SumWeights {
  ChunkPositions at;
  const float *weight, *bias;  // bias or null
  float* to;

  __device__ void operator()(int64_t i) const {
    const int width = at.channels + 1, k = static_cast<int>(i % width), s = static_cast<int>(i / width % at.run());
    const int valid = at.valid_of(static_cast<int>(i / width / at.run()));
    float sum = 0;
    for (int l = 0; l < valid; ++l) {
      const int64_t row = l * at.run() + s;
      if (k < at.channels) sum += weight[row * at.channels + k];
      if (k == at.channels && bias) sum += bias[row];
    }
    to[i] = sum;
  }
};

// pooled = (first branch) or += the mean of a spatial branch's outputs over the tokens of a clip; one warp for each
// [clip, c].
struct AddSpatial : WarpRows {
  ChunkPositions at;
  int clips, steps, branch;
  const float *sums, *weights;
  float* pooled;

  __device__ void operator()(None&) const {
    const int64_t i = row();
    if (i >= static_cast<int64_t>(clips) * at.channels) return;
    const int64_t clip = i / at.channels;
    const int c = static_cast<int>(i % at.channels);
    float sum = 0;
    for (int kind = 0; kind < at.kinds; ++kind) sum += of_kind(clip, c, kind);
    const float mean = sum / (static_cast<float>(steps) * static_cast<float>(at.layout.pixels));
    if (lane() == 0) pooled[i] = branch > 0 ? pooled[i] + mean : mean;
  }

 private:
  __device__ float of_kind(int64_t clip, int c, int kind) const {
    const int run = at.run(), g = c / run, s = c % run;
    const float* from = sums + (clip * at.kinds + kind) * at.chunk * at.channels;
    const float* w = weights + (static_cast<int64_t>(kind) * run + s) * (at.channels + 1);
    float sum = 0;
    for (int k = lane(); k < at.channels; k += kWarpSize)
      sum = fmaf(from[k / run * at.channels + g * run + k % run], w[k], sum);
    return warp_sum(sum) + static_cast<float>(steps * chunks_of(kind)) * w[at.channels];
  }

  __device__ int chunks_of(int kind) const {
    int count = 0;
    for (int j = 0; j < at.layout.chunks; ++j) count += at.valid(j) == at.valid_of(kind);
    return count;
  }
};

// pooled += the mean of the channel branch. Every token of a clip is in one slot of branch 0: their sums add up to that
// of LN(x).
struct AddChannel : WarpRows {
  ChunkPositions at;
  int clips;
  float tokens;
  const float *sums, *weight, *bias;  // bias or null
  float* pooled;

  __device__ void operator()(None&) const {
    const int64_t i = row();
    if (i >= static_cast<int64_t>(clips) * at.channels) return;
    const int c = static_cast<int>(i % at.channels), slots = at.kinds * at.chunk;
    const float* from = sums + i / at.channels * slots * at.channels;
    float sum = 0;
    for (int k = lane(); k < at.channels; k += kWarpSize) {
      float total = 0;
      for (int slot = 0; slot < slots; ++slot) total += from[slot * at.channels + k];
      sum = fmaf(total, weight[static_cast<int64_t>(c) * at.channels + k], sum);
    }
    sum = warp_sum(sum);
    if (lane() == 0) pooled[i] += sum / tokens + (bias ? bias[c] : 0.0f);
  }
};

// Sums over all chunks, for each slot: sums[clip][kind][l][c]. The shape alone decides the order.
template <class T>
void sum_chunks(SumChunkPositions<T> sum, float* sums) {
  const Workspace<float> partial(sum.parts() * sum.size());
  sum.sums = partial.data();
  launch_each(sum.parts() * sum.size(), sum);
  reduce_partials(partial.data(), sum.parts(), sum.size(), StoreSum{sums});
}

const float* data_of(const Buffer* b) { return static_cast<const float*>(b->data); }

}  // namespace

template <class T>
void norm_spatial_pool(const NormSpatialPoolOf<T>& p) {
  const int64_t c = p.at.channels, clips = p.at.clips, channel = p.at.branches() - 1;
  const int steps = as_int(p.at.steps);
  const Normed<T> normed{p.x, as_int(c), p.mean, p.rstd, p.gamma, p.beta};
  norm_statistics(p.x, p.at.tokens(), c, p.eps, p.mean, p.rstd);
  for (int i = static_cast<int>(channel) - 1; i >= 0; --i) {
    const ChunkPositions at(p.at, i);
    const int64_t floats = clips * at.slots() * c, weights = at.kinds * (c / at.chunk) * (c + 1);
    const Workspace<float> sums(floats), summed(weights);
    sum_chunks(SumChunkPositions<T>{at, normed, as_int(clips), steps, nullptr}, sums.data());
    launch_each(weights, SumWeights{at, data_of(p.weight[i]), p.bias[i], summed.data()});
    const int order = static_cast<int>(channel) - 1 - i;
    launch_rows(clips * c, AddSpatial{{}, at, as_int(clips), steps, order, sums.data(), summed.data(), p.pooled});
    if (i > 0) continue;
    const float tokens = static_cast<float>(p.at.clip_tokens());
    launch_rows(
        clips * c,
        AddChannel{{}, at, as_int(clips), tokens, sums.data(), data_of(p.weight[channel]), p.bias[channel], p.pooled});
  }
}
FOR_FLOATS(norm_spatial_pool, NormSpatialPool)

}  // namespace morphmlp::cuda
