// norm_spatial_apply on bf16 tokens in one kernel: y = x + scale * (P (sum over i of weights_i * FC_i(LN(xt))) + b). A
// block processes a patch of 14 x 14 tokens of a frame, which contains 14 whole chunks of rows and 14 of columns, from
// LayerNorm to result.
//
// A row of a product is 14 runs of 8 values: one run of each of 14 tokens, or all channels of one token. A run is the
// 16 bytes that ldmatrix reads, and runs of a row lie at a constant step: a permutation is two numbers. Rows form 14
// lines of 14 (the groups of a chunk, the tokens of a line), padded to the 16 of an mma. A warp keeps two lines in
// registers and computes 16 results, two runs, at a time; weights go through shared memory in that order.
#pragma once
#include "cuda/gemm/async_copy.h"
#include "cuda/gemm/mma.h"
#include "cuda/ops/norm_spatial.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

// Sizes of a patch and its FCs.
struct SpatialPatch {
  static constexpr int kSide = 14, kTokens = kSide * kSide, kRun = 8, kRuns = 14, kChannels = kRuns * kRun;
  static constexpr int kProducts = 4;               // the branches, then the projection
  static constexpr int kSteps = kChannels / 16;     // steps of an mma along k, and of 16 results along n
  static constexpr int kStride = kChannels + kRun;  // 8 tokens' runs at the same channels lie in different banks
};

// bf16 weights and biases of 16 results in fragment order: [step of k][lane] holds the second operand of two mma.
struct SpatialUnit : SpatialPatch {
  uint4 w[kSteps][kWarpSize];
  float bias[16];
};

struct SpatialFcs : SpatialPatch {
  const float *weight[kProducts], *bias[kProducts];  // a bias may be null
};

struct PackSpatial : SpatialFcs {
  SpatialUnit* units;  // kSteps for each product

  __device__ void operator()(int64_t i) const {
    const int lane = static_cast<int>(i % kWarpSize), step = static_cast<int>(i / kWarpSize) % kSteps;
    const int unit = static_cast<int>(i / kWarpSize) / kSteps, product = unit / kSteps, n = unit % kSteps * 16;
    const float* from = weight[product] + (n + lane / 4) * kChannels + 16 * step + lane % 4 * 2;
    const float* next = from + kRun * kChannels;
    units[unit].w[step][lane] = make_uint4(pair(from), pair(from + 8), pair(next), pair(next + 8));
    if (step == 0 && lane < 16) units[unit].bias[lane] = bias[product] ? bias[product][n + lane] : 0.0f;
  }

 private:
  __device__ static uint32_t pair(const float* from) { return packed(from[0], from[1]); }
};

struct FusedSpatial : SpatialPatch {
  static constexpr bool kDynamic = true;
  static constexpr int kWarps = kSide / 2, kThreads = kWarps * kWarpSize, kBlocks = 2, kBuffers = 4;
  static constexpr int kUnits = kProducts * kSteps;
  using Tokens = Bf16[kTokens * kStride];
  struct alignas(16) Shared {
    Tokens from;  // LN(xt); in the last product x, and then y
    Tokens mix;
    SpatialUnit units[kBuffers];
    float weights[kMaxBranches][kChannels];  // branch weights of the clip
  };

  NormSpatialApplyOf<Bf16> p;
  const SpatialUnit* units;
  int width, pixels;
  Divisor by_patches, by_across, by_steps;  // patches of a frame, patches beside each other, frames of a clip

  __device__ void operator()(Shared& s) const {
    const PatchOrigin at = origin();
    for (int i = 0; i < kBuffers - 1; ++i) fetch(s, i);
    load_weights(s, at.clip);
    load_normed(s.from, at.first);
    __syncthreads();  // the patch is there for all
// Unrolled, so that the steps between runs are constants.
#pragma unroll
    for (int i = 0; i < kMaxBranches; ++i) add_branch(s, i, at);
    project(s, at);
  }

 private:
  using Words = uint32_t[kSteps][2][4];  // two lines as first operands of mma
  using Sums = float[2][2][4];           // two lines, accumulators of two runs

  struct PatchOrigin {
    int64_t first;  // the patch's first token
    int clip;
  };

  // The runs of a row: where the first is, and how far it is to each next one.
  struct Runs {
    int first, step;
  };

  struct alignas(8) Pair {
    float one, two;
  };

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarpSize; }
  // A lane holds results of four rows, two of each line, and two values of each run.
  __device__ static int line(int quarter) { return 2 * warp() + quarter / 2; }
  __device__ static int row(int quarter) { return quarter % 2 * 8 + lane() / 4; }
  __device__ static int pair() { return lane() % 4 * 2; }

  __device__ PatchOrigin origin() const {
    const auto patch = static_cast<int>(blockIdx.x);
    const int frame = by_patches.quotient(patch), inside = by_patches.remainder(patch, frame);
    const int down = by_across.quotient(inside), across = by_across.remainder(inside, down);
    return {static_cast<int64_t>(frame) * pixels + kSide * (down * width + across), by_steps.quotient(frame)};
  }

  // Token `inside` of a patch among all.
  __device__ int64_t token(int64_t first, int inside) const { return first + inside / kSide * width + inside % kSide; }

  // Runs of a row. In the branches along an axis a line is a chunk and its rows are groups; in the others its rows are
  // tokens. Padding rows read the last row of the line; their results are dropped.
  __device__ static Runs runs_of(int product, int line, int row) {
    row = row < kSide ? row : kSide - 1;
    if (product == 0) return {line * kStride + row * kRun, kSide * kStride};
    if (product == 1) return {line * kSide * kStride + row * kRun, kStride};
    return {(line * kSide + row) * kStride, kRun};
  }

  __device__ void fetch(Shared& s, int unit) const {
    if (unit < kUnits) copy_async_by_block<kThreads>(&s.units[unit % kBuffers], units + unit);
    end_copy_group();
  }

  __device__ void load_weights(Shared& s, int clip) const {
    const float* from = p.weights + static_cast<int64_t>(clip) * kChannels * kMaxBranches;
    for (int i = static_cast<int>(threadIdx.x); i < kChannels * kMaxBranches; i += kThreads)
      s.weights[i % kMaxBranches][i / kMaxBranches] = from[i];
  }

  // A thread loads the same channels of every 16th token.
  __device__ void load_normed(Tokens& to, int64_t first) const {
    static_assert(kThreads % kRuns == 0, "a thread's channels would change");
    const int c = static_cast<int>(threadIdx.x) % kRuns * kRun;
    const Vec<kRun> gamma = load<kRun>(p.gamma + c), beta = load<kRun>(p.beta + c);
#pragma unroll 7
    for (int i = static_cast<int>(threadIdx.x) / kRuns; i < kTokens; i += kThreads / kRuns) {
      const int64_t t = token(first, i);
      const float mean = p.mean[t], rstd = p.rstd[t];
      Vec<kRun> x = load<kRun>(p.xt + t * kChannels + c);
#pragma unroll
      for (int j = 0; j < kRun; ++j) x.at[j] = fmaf((x.at[j] - mean) * rstd, gamma.at[j], beta.at[j]);
      store_words(to + i * kStride + c, packed(x));
    }
  }

  // Calls body(offset in the patch, offset in the tensors) for each run of the tokens of this warp.
  template <class Body>
  __device__ void each_own_run(int64_t first, const Body& body) const {
    for (int i = lane(); i < 2 * kSide * kRuns; i += kWarpSize) {
      const int t = 2 * kSide * warp() + i / kRuns, c = i % kRuns * kRun;
      body(t * kStride + c, token(first, t) * kChannels + c);
    }
  }

  __device__ static void load_rows(const Tokens& from, int product, Words& to) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Runs at = runs_of(product, 2 * warp() + half, lane() % 16);
      const Bf16* run = from + at.first + lane() / 16 * at.step;
#pragma unroll
      for (int i = 0; i < kSteps; ++i) ldmatrix(to[i][half], run + 2 * i * at.step);
    }
  }

  // The unit's results of the warp's rows, without the bias.
  __device__ static void multiply(const Words& rows, const SpatialUnit& unit, Sums& sum) {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const auto b = load_words<uint4>(&unit.w[i][lane()]);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        mma_m16n8k16(sum[half][0], rows[i][half], b.x, b.y);
        mma_m16n8k16(sum[half][1], rows[i][half], b.z, b.w);
      }
    }
  }

  // Returns the next unit once it is visible to all threads and all earlier work of the block is done.
  __device__ const SpatialUnit& next(Shared& s, int unit) const {
    wait_for_copies<kBuffers - 2>();
    __syncthreads();
    fetch(s, unit + kBuffers - 1);
    return s.units[unit % kBuffers];
  }

  // Calls store_one(quarter, run, pair) for the results of a lane: the first or the second run of the 16.
  template <class Store>
  __device__ void each_pair(Shared& s, int unit, const Words& rows, const Store& store_one) const {
    const SpatialUnit& from = next(s, unit);
    Sums sum = {};
    multiply(rows, from, sum);
#pragma unroll
    for (int run = 0; run < 2; ++run) {
      const auto bias = load_words<Pair>(from.bias + kRun * run + pair());
#pragma unroll
      for (int quarter = 0; quarter < 4; ++quarter) {
        const float* of = sum[quarter / 2][run] + quarter % 2 * 2;
        if (row(quarter) < kSide) store_one(quarter, run, Pair{of[0] + bias.one, of[1] + bias.two});
      }
    }
  }

  // mix = or += weight * branch. A weight belongs to a channel: in a branch along an axis it is the same for all runs.
  __device__ void add_branch(Shared& s, int branch, const PatchOrigin& at) const {
    const bool channel = branch == kMaxBranches - 1;
    const float* weights = s.weights[branch] + pair();
    Words rows;
    load_rows(s.from, branch, rows);
    if (channel) fetch_residual(s.from, at.first);
    const Pair of_rows[] = {weight_of_row(weights, 0), weight_of_row(weights, 1)};
#pragma unroll 1
    for (int u = 0; u < kSteps; ++u)
      each_pair(s, kSteps * branch + u, rows, [&](int quarter, int run, const Pair& value) {
        const Runs to = runs_of(branch, line(quarter), row(quarter));
        const Pair weight = channel ? load_words<Pair>(weights + kRun * (2 * u + run)) : of_rows[quarter % 2];
        add_pair(s.mix + to.first + (2 * u + run) * to.step + pair(), weight, value, branch > 0);
      });
  }

  __device__ static Pair weight_of_row(const float* weights, int quarter) {
    return row(quarter) < kSide ? load_words<Pair>(weights + kRun * row(quarter)) : Pair{};
  }

  __device__ static void add_pair(Bf16* to, const Pair& weight, const Pair& value, bool add) {
    Pair sum = {weight.one * value.one, weight.two * value.two};
    if (add) {
      const auto before = load_words<uint32_t>(to);
      sum = {low_of(before) + sum.one, high_of(before) + sum.two};
    }
    store_words(to, packed(sum.one, sum.two));
  }

  // Overwrites LN(xt) by x: only this warp still reads the tokens that it overwrites.
  __device__ void fetch_residual(Tokens& to, int64_t first) const {
    __syncwarp();
    each_own_run(first, [&](int inside, int64_t at) { copy_async(to + inside, p.x + at); });
  }

  __device__ void project(Shared& s, const PatchOrigin& at) const {
    const float scale = p.scale ? p.scale[at.clip] : 1.0f;
    __syncwarp();  // the warp's own tokens of the mix are whole
    Words rows;
    load_rows(s.mix, kMaxBranches, rows);
#pragma unroll 1
    for (int u = 0; u < kSteps; ++u)
      each_pair(s, kSteps * kMaxBranches + u, rows, [&](int quarter, int run, const Pair& value) {
        const Runs to = runs_of(kMaxBranches, line(quarter), row(quarter));
        add_to_residual(s.from + to.first + (2 * u + run) * to.step + pair(), scale, value);
      });
    __syncwarp();  // and so are those of y
    each_own_run(at.first, [&](int inside, int64_t to) { store_words(p.y + to, load_words<uint4>(s.from + inside)); });
  }

  __device__ static void add_to_residual(Bf16* x, float scale, const Pair& value) {
    const auto before = load_words<uint32_t>(x);
    store_words(x, packed(fmaf(scale, value.one, low_of(before)), fmaf(scale, value.two, high_of(before))));
  }
};

// Whether the kernel supports the shape: stage 1 of the networks of width 112, in frames of whole patches.
inline bool whole_patches(const NormSpatialShape& at) {
  return !at.strided && at.channels == SpatialPatch::kChannels && at.chunk == SpatialPatch::kSide &&
         at.height % SpatialPatch::kSide == 0 && at.width % SpatialPatch::kSide == 0;
}

// Whether all pointers allow access by runs.
inline bool can_vectorize_rows(const NormSpatialApplyOf<Bf16>& p) {
  for (const void* at : std::initializer_list<const void*>{p.x, p.xt, p.y, p.gamma, p.beta})
    if (reinterpret_cast<uintptr_t>(at) % 16 != 0) return false;
  return true;
}

// Launches the kernel for the FCs of p.
inline void launch_patches(const NormSpatialApplyOf<Bf16>& p, const SpatialFcs& fcs) {
  constexpr int kSide = SpatialPatch::kSide, kUnits = FusedSpatial::kUnits;
  const int64_t across = p.at.width / kSide, patches = p.at.height / kSide * across;
  const Workspace<SpatialUnit> units(kUnits);
  launch_each(kUnits * SpatialPatch::kSteps * kWarpSize, PackSpatial{fcs, units.data()});
  launch({p.at.frames() * patches}, FusedSpatial{{},
                                                 p,
                                                 units.data(),
                                                 as_int(p.at.width),
                                                 as_int(p.at.frame_tokens()),
                                                 Divisor(patches),
                                                 Divisor(across),
                                                 Divisor(p.at.steps)});
}

// Runs the kernel, or returns false for a shape that has none.
inline bool fused_spatial(const NormSpatialApplyOf<Bf16>& p) {
  if (!whole_patches(p.at) || !can_vectorize_rows(p)) return false;
  const auto data = [](const Buffer* weight) { return static_cast<const float*>(weight->data); };
  launch_patches(p, {{},
                     {data(p.weight[0]), data(p.weight[1]), data(p.weight[2]), data(p.proj)},
                     {p.bias[0], p.bias[1], p.bias[2], p.proj_bias}});
  return true;
}

}  // namespace morphmlp::cuda
