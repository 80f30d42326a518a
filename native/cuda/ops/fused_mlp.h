// norm_mlp's forward on bf16 tokens in one kernel: y = x + scale * (W2 gelu(W1 LN(x) + b1) + b2). A warp keeps 16 rows
// in registers from LayerNorm to result and computes the hidden values 16 at a time: accumulators of the first mma
// become, after GELU, the first operand of the second. Hidden values stay in registers, except z, which is written
// where a backward follows. Only weights go through shared memory.
//
// The order of k within a group of 16 is free as long as both operands agree. Lane l holds values 4 (l % 4) to 4 (l %
// 4) + 3, so that four lanes read 32 contiguous bytes.
#pragma once
#include "cuda/gemm/async_copy.h"
#include "cuda/gemm/mma.h"
#include "cuda/workspace.h"
#include "ops/norm_mlp.h"

namespace morphmlp::cuda {

// bf16 weights of 16 hidden values and 16 kGroups channels in fragment order: [group][lane] holds the second operand of
// two mma. Values beyond the hidden size or the channels are zero.
template <int kGroups>
struct MlpUnit {
  uint4 w1[kGroups][kWarpSize], w2[kGroups][kWarpSize];
  float b1[16];
};

template <int kGroups>
struct PackMlp {
  const float *w1, *b1, *w2;
  int channels, hidden;
  MlpUnit<kGroups>* units;

  __device__ void operator()(int64_t i) const {
    const int lane = static_cast<int>(i % kWarpSize), group = static_cast<int>(i / kWarpSize % kGroups);
    const int unit = static_cast<int>(i / kWarpSize / kGroups), h = 16 * unit, c = 16 * group;
    units[unit].w1[group][lane] = words(w1, hidden, channels, h, c, lane);
    units[unit].w2[group][lane] = words(w2, channels, hidden, c, h, lane);
    if (group == 0 && lane < 16) units[unit].b1[lane] = h + lane < hidden ? b1[h + lane] : 0.0f;
  }

 private:
  // Fragment of rows n .. n + 15 and columns k .. k + 15 of w[rows, columns]. Column l / 4 of the first mma is row 4 (l
  // / 8) + l / 4 % 2, so that the two results of a lane are half a quad; the second mma yields the other half.
  __device__ static uint4 words(const float* w, int rows, int columns, int n, int k, int lane) {
    const int row = n + lane / 8 * 4 + lane / 4 % 2, column = k + lane % 4 * 4;
    const bool inside = column < columns;
    const float4 one = quad(w, inside && row < rows, static_cast<int64_t>(row) * columns + column);
    const float4 two = quad(w, inside && row + 2 < rows, static_cast<int64_t>(row + 2) * columns + column);
    return make_uint4(packed(one.x, one.y), packed(one.z, one.w), packed(two.x, two.y), packed(two.z, two.w));
  }
  __device__ static float4 quad(const float* w, bool inside, int64_t at) {
    return inside ? load_words<float4>(w + at) : make_float4(0, 0, 0, 0);
  }
};

// Pipelines slices of kUnits units through kBuffers buffers.
template <int kGroups, int kUnits, int kBuffers>
struct FusedMlp {
  static constexpr int kBlocks = kGroups <= 7 ? 2 : 1;
  static constexpr int kThreads = 256, kRows = kThreads / kWarpSize * 16;
  using Unit = MlpUnit<kGroups>;
  struct alignas(16) Shared {
    Unit units[kBuffers][kUnits];
  };

  NormMlpForwardOf<Bf16> p;
  const Unit* weights;  // whole slices of kUnits
  int slices, rows, channels, hidden;
  Divisor clip_rows;

  __device__ void operator()(Shared& s) const {
    for (int i = 0; i < kBuffers - 1; ++i) fetch(s, i);
    Words normed;
    load_rows(normed);
#pragma unroll
    for (int half = 0; half < 2; ++half) normalise(half, normed);
    Sums sum = {};
    for (int slice = 0; slice < slices; ++slice) {
      wait_for_copies<kBuffers - 2>();
      __syncthreads();  // this slice is visible to all, and the previous buffer is free
      fetch(s, slice + kBuffers - 1);
#pragma unroll 1
      for (int u = 0; u < kUnits; ++u) add_unit(s.units[slice % kBuffers][u], kUnits * slice + u, normed, sum);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) finish(half, sum);
  }

 private:
  using Words = uint32_t[kGroups][4];  // 16 rows as first operands of mma
  using Sums = float[kGroups][2][4];   // accumulators of two mma for each 16 channels

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpSize; }
  // A lane holds values of two rows, eight apart: one quad of each 16.
  __device__ static int64_t row(int half) {
    const auto warp = static_cast<int>(threadIdx.x) / kWarpSize;
    return static_cast<int64_t>(blockIdx.x) * kRows + 16 * warp + lane() / 4 + 8 * half;
  }
  __device__ static int quad() { return lane() % 4 * 4; }

  __device__ void fetch(Shared& s, int slice) const {
    if (slice < slices)
      copy_async_by_block<kThreads, kUnits>(s.units[slice % kBuffers], weights + static_cast<int64_t>(kUnits) * slice);
    end_copy_group();
  }

  __device__ void load_rows(Words& x) const {
#pragma unroll
    for (int i = 0; i < 2 * kGroups; ++i) {
      const int half = i % 2, c = i / 2 * 16 + quad();
      const bool inside = row(half) < rows && c < channels;
      const uint2 words = inside ? load_words<uint2>(p.x + row(half) * channels + c) : make_uint2(0, 0);
      x[i / 2][half] = words.x;
      x[i / 2][2 + half] = words.y;
    }
  }

  // Sum over the four lanes of a row.
  __device__ static float row_sum(float value) {
    value += __shfl_xor_sync(kAllLanes, value, 1);
    return value + __shfl_xor_sync(kAllLanes, value, 2);
  }

  __device__ void normalise(int half, Words& x) const {
    float sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < 2 * kGroups; ++i) {
      const uint32_t word = x[i / 2][i % 2 * 2 + half];
      sum += low_of(word) + high_of(word);
    }
    const float mean = row_sum(sum) / static_cast<float>(channels);
#pragma unroll
    for (int i = 0; i < 2 * kGroups; ++i) {
      if (i / 2 * 16 + quad() >= channels) continue;
      const uint32_t word = x[i / 2][i % 2 * 2 + half];
      const float low = low_of(word) - mean, high = high_of(word) - mean;
      squares = fmaf(low, low, fmaf(high, high, squares));
    }
    const float rstd = 1.0f / sqrtf(row_sum(squares) / static_cast<float>(channels) + p.eps);
    keep_statistics(half, mean, rstd);
    scale_and_shift(half, mean, rstd, x);
  }

  __device__ void keep_statistics(int half, float mean, float rstd) const {
    if (quad() != 0 || row(half) >= rows) return;
    p.mean[row(half)] = mean;
    p.rstd[row(half)] = rstd;
  }

  __device__ void scale_and_shift(int half, float mean, float rstd, Words& x) const {
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int c = 16 * group + quad();
      if (c >= channels) continue;
      const auto gamma = load_words<float4>(p.gamma + c), beta = load_words<float4>(p.beta + c);
      uint32_t &one = x[group][half], &two = x[group][2 + half];
      const auto normed = [&](float v, float scale, float shift) { return fmaf((v - mean) * rstd, scale, shift); };
      one = packed(normed(low_of(one), gamma.x, beta.x), normed(high_of(one), gamma.y, beta.y));
      two = packed(normed(low_of(two), gamma.z, beta.z), normed(high_of(two), gamma.w, beta.w));
    }
  }

  // Adds the contribution of the unit's 16 hidden values to `sum`.
  __device__ void add_unit(const Unit& unit, int number, const Words& normed, Sums& sum) const {
    const auto b = load_words<float4>(unit.b1 + quad());
    float z[2][4] = {{b.x, b.y, b.x, b.y}, {b.z, b.w, b.z, b.w}};
#pragma unroll
    for (int group = 0; group < kGroups; ++group) multiply(z, normed[group], unit.w1[group][lane()]);
    if (p.z) keep_z(16 * number + quad(), z);
    uint32_t activated[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      activated[i] = packed(gelu_for_bf16(z[i / 2][i % 2 * 2]), gelu_for_bf16(z[i / 2][i % 2 * 2 + 1]));
#pragma unroll
    for (int group = 0; group < kGroups; ++group) multiply(sum[group], activated, unit.w2[group][lane()]);
  }

  __device__ static void multiply(float (&sum)[2][4], const uint32_t (&a)[4], const uint4& b) {
    mma_m16n8k16(sum[0], a, b.x, b.y);
    mma_m16n8k16(sum[1], a, b.z, b.w);
  }

  // Packs the four values that a lane holds of a row in two mma.
  __device__ static uint2 packed_quad(const float (&of)[2][4], int half) {
    return make_uint2(packed(of[0][2 * half], of[0][2 * half + 1]), packed(of[1][2 * half], of[1][2 * half + 1]));
  }

  __device__ void keep_z(int h, const float (&z)[2][4]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half)
      if (h < hidden && row(half) < rows) store_words(p.z + row(half) * hidden + h, packed_quad(z, half));
  }

  __device__ void finish(int half, Sums& sum) const {
    const int64_t m = row(half);
    if (m >= rows) return;
    const float scale = p.scale ? p.scale[clip_rows.quotient(static_cast<int>(m))] : 1.0f;
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int c = 16 * group + quad();
      if (c >= channels) continue;
      add_residual(load_words<uint2>(p.x + m * channels + c), load_words<float4>(p.b2 + c), scale, half, sum[group]);
      store_words(p.y + m * channels + c, packed_quad(sum[group], half));
    }
  }

  __device__ static void add_residual(const uint2& x, const float4& bias, float scale, int half, float (&of)[2][4]) {
    float *one = of[0] + 2 * half, *two = of[1] + 2 * half;
    one[0] = fmaf(scale, one[0] + bias.x, low_of(x.x));
    one[1] = fmaf(scale, one[1] + bias.y, high_of(x.x));
    two[0] = fmaf(scale, two[0] + bias.z, low_of(x.y));
    two[1] = fmaf(scale, two[1] + bias.w, high_of(x.y));
  }
};

template <int kGroups, int kUnits, int kBuffers>
bool launch_fused_mlp(const NormMlpForwardOf<Bf16>& p, const float* w1, const float* w2) {
  using Kernel = FusedMlp<kGroups, kUnits, kBuffers>;
  const int c = as_int(p.at.channels), h = as_int(p.at.hidden), rows = as_int(p.at.rows);
  const int64_t slices = blocks_of(h, 16 * kUnits);
  const Workspace<MlpUnit<kGroups>> units(slices * kUnits);
  launch_each(slices * kUnits * kGroups * kWarpSize, PackMlp<kGroups>{w1, p.b1, w2, c, h, units.data()});
  launch({blocks_of(rows, Kernel::kRows)},
         Kernel{p, units.data(), as_int(slices), rows, c, h, Divisor(p.at.rows_per_clip)});
  return true;
}

// Whether all pointers and sizes allow access by quads.
inline bool quads_in(const NormMlpForwardOf<Bf16>& p, const float* w1, const float* w2) {
  const auto aligned = [](const void* at, uintptr_t bytes) { return reinterpret_cast<uintptr_t>(at) % bytes == 0; };
  for (const float* at : {w1, w2, p.gamma, p.beta, p.b2})
    if (!aligned(at, 16)) return false;
  return aligned(p.x, 8) && aligned(p.y, 8) && aligned(p.z, 8) && p.at.channels % 4 == 0 && p.at.hidden % 4 == 0;
}

// Runs the kernel, or returns false for a shape that has none. Kernels exist for the widths of the networks up to 224
// (the results of 16 rows must fit into the registers of a warp) and for widths that pad to the same groups of 16.
inline bool fused_mlp(const NormMlpForwardOf<Bf16>& p, const float* w1, const float* w2) {
  if (!quads_in(p, w1, w2) || p.at.hidden == 0) return false;
  switch (blocks_of(p.at.channels, 16)) {
    case 1:
      return launch_fused_mlp<1, 3, 2>(p, w1, w2);
    case 6:
      return launch_fused_mlp<6, 2, 3>(p, w1, w2);  // 84
    case 7:
      return launch_fused_mlp<7, 3, 2>(p, w1, w2);  // 112
    case 11:
      return launch_fused_mlp<11, 2, 2>(p, w1, w2);  // 168
    case 14:
      return launch_fused_mlp<14, 1, 3>(p, w1, w2);  // 224
    default:
      return false;
  }
}

}  // namespace morphmlp::cuda
