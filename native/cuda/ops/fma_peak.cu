// Peak rates that benchmarks divide by, and a kernel that keeps the GPU busy.
#include <algorithm>
#include <vector>

#include "cuda/gemm/mma.h"
#include "cuda/launch.h"
#include "cuda/workspace.h"
#include "runtime/cuda.h"

namespace morphmlp::cuda {
namespace {

constexpr int kChains = 8;         // independent multiply-adds that hide the latency
constexpr int kBlocksPerUnit = 8;  // a multiprocessor: more than fit at once
constexpr double kEnoughMs = 2;    // of one run: far above its launch overhead
constexpr size_t kCopied = size_t{512} << 20;

// Multiply-adds in registers. `sink` is written only for an impossible value, which the compiler cannot know.
struct FmaPeak : Unshared {
  int64_t iterations;
  float factor;
  float* sink;

  __device__ void operator()(None&) const {
    float y[kChains];
    for (int c = 0; c < kChains; ++c) y[c] = static_cast<float>(threadIdx.x + static_cast<unsigned>(c));
    for (int64_t i = 0; i < iterations; ++i) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) y[c] = y[c] * factor + 0.5f;
    }
    float sum = 0;
    for (int c = 0; c < kChains; ++c) sum += y[c];
    if (sum == -1.0f) *sink = sum;
  }
};

// Tensor-core peak: one mma.sync of 16 x 16 by 16 x 8 bf16 values a warp and chain, summed in f32.
struct MmaPeak : Unshared {
  static constexpr double kProducts = 16.0 * 8 * 16;
  int64_t iterations;
  float* sink;

  __device__ void operator()(None&) const {
    float d[kChains][4] = {};
    const uint32_t one = 0x3f803f80u + threadIdx.x % 2;  // two values near 1
    const uint32_t a[4] = {one, one, one, one};
    for (int64_t i = 0; i < iterations; ++i) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) mma_m16n8k16(d[c], a, one, one);
    }
    float sum = 0;
    for (int c = 0; c < kChains; ++c) sum += d[c][0] + d[c][1] + d[c][2] + d[c][3];
    if (sum == -1.0f) *sink = sum;
  }
};

// One warp with one chain: each multiply-add waits for the previous one.
struct Delay {
  using Shared = None;
  static constexpr int kThreads = 32;
  int64_t iterations;
  float factor;
  float* sink;

  __device__ void operator()(None&) const {
    float y = static_cast<float>(threadIdx.x);
    for (int64_t i = 0; i < iterations; ++i) y = y * factor + 0.5f;
    if (y == -1.0f) *sink = y;
  }
};

template <class Peak>
double time_peak(const Peak& kernel, int64_t blocks) {
  start_timer();
  launch({blocks}, kernel);
  return stop_timer();
}

// Iterations a millisecond over all blocks, in the fastest run.
template <class Peak>
double best_rate(Peak kernel, int64_t blocks, double seconds) {
  while (time_peak(kernel, blocks) < kEnoughMs) kernel.iterations *= 2;
  double best = 1e30;
  for (double total = 0; total < 1e3 * seconds;) {
    const double ms = time_peak(kernel, blocks);
    best = std::min(best, ms);
    total += ms;
  }
  return static_cast<double>(blocks * kernel.iterations) / best;
}

int64_t peak_blocks() { return int64_t{kBlocksPerUnit} * device_facts().multiprocessors; }

}  // namespace

double measure_fma_peak(double seconds) {
  begin("fma_peak");
  const Workspace<float> sink(1);
  const double rate = best_rate(FmaPeak{{}, 256, 0.5f, sink.data()}, peak_blocks(), seconds);
  return 2.0 * rate * FmaPeak::kThreads * kChains / 1e6;
}

double measure_mma_peak(double seconds) {
  begin("mma_peak");
  const Workspace<float> sink(1);
  const double rate = best_rate(MmaPeak{{}, 16, sink.data()}, peak_blocks(), seconds);
  return 2.0 * rate * (MmaPeak::kThreads / kWarpSize) * kChains * MmaPeak::kProducts / 1e6;
}

double measure_copy_rate() {
  begin("copy");
  const size_t bytes = std::min(kCopied, device_facts().memory_bytes / 8);
  const Workspace<char> from(static_cast<int64_t>(bytes)), to(static_cast<int64_t>(bytes));
  fill(from.data(), 1, bytes);
  copy(to.data(), from.data(), bytes);
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    start_timer();
    copy(to.data(), from.data(), bytes);
    best = std::min(best, stop_timer());
  }
  return 2.0 * static_cast<double>(bytes) / best / 1e6;
}

void delay() {
  begin("delay");
  const Workspace<float> sink(1);
  launch({1}, Delay{40000, 0.5f, sink.data()});
}

}  // namespace morphmlp::cuda
