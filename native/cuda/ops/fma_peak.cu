// What benchmarks on a GPU divide by, and what keeps a GPU busy for a moment.
#include <algorithm>
#include <vector>

#include "cuda/launch.h"
#include "cuda/gemm/mma.h"
#include "cuda/gemm/gemm_backend.h"
#include "cuda/workspace.h"
#include "runtime/cuda.h"

namespace morphmlp::cuda {
namespace {

constexpr int kChains = 8;         // independent ones, as many as hide the latency of a multiply-add
constexpr int kBlocksPerUnit = 8;  // for each multiprocessor: more than it can hold of 256 threads
constexpr double kEnoughMs = 2;    // of one run: far above what starting it takes
constexpr size_t kCopied = size_t{512} << 20;

// Multiply-adds alone; `sink` is written only by a number that cannot come out, which the compiler does not know.
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

// The same on the tensor cores, one product a warp and chain, with f32 sums: of 16 x 16 by 16 x 8 numbers in bf16, or
// of 16 x 8 by 8 x 8 in TF32.
struct OfBf16 {
  static constexpr double kProducts = 16.0 * 8 * 16;
  static constexpr uint32_t kOne = 0x3f803f80u;  // two numbers of 1
  __device__ static void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b) { mma_m16n8k16(d, a, b, b); }
};
struct OfTf32 {
  static constexpr double kProducts = 16.0 * 8 * 8;
  static constexpr uint32_t kOne = 0x3f800000u;
  __device__ static void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b) { mma_m16n8k8(d, a, b, b); }
};

template <class Of>
struct MmaPeak : Unshared {
  int64_t iterations;
  float* sink;

  __device__ void operator()(None&) const {
    float d[kChains][4] = {};
    const uint32_t one = Of::kOne + threadIdx.x % 2;
    const uint32_t a[4] = {one, one, one, one};
    for (int64_t i = 0; i < iterations; ++i) {
#pragma unroll
      for (int c = 0; c < kChains; ++c) Of::multiply(d[c], a, one);
    }
    float sum = 0;
    for (int c = 0; c < kChains; ++c) sum += d[c][0] + d[c][1] + d[c][2] + d[c][3];
    if (sum == -1.0f) *sink = sum;
  }
};

// One warp of one chain: each multiply-add waits for the one before.
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

// Iterations a millisecond, of all blocks, in the fastest of many runs.
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

double ffma_peak(double seconds, float* sink) {
  const double rate = best_rate(FmaPeak{{}, 256, 0.5f, sink}, peak_blocks(), seconds);
  return 2.0 * rate * FmaPeak::kThreads * kChains / 1e6;
}

template <class Of>
double mma_peak(double seconds, float* sink) {
  const double rate = best_rate(MmaPeak<Of>{{}, 16, sink}, peak_blocks(), seconds);
  return 2.0 * rate * (MmaPeak<Of>::kThreads / kWarpSize) * kChains * Of::kProducts / 1e6;
}

}  // namespace

// 3xTF32 takes three products for one. What is no product still has the FFMA units, so their limit holds too.
double measure_fma_peak(double seconds) {
  begin("fma_peak");
  const Workspace<float> sink(1);
  const double ffma = ffma_peak(seconds, sink.data());
  if (f32_by() == F32By::ffma) return ffma;
  return std::max(ffma, mma_peak<OfTf32>(seconds, sink.data()) / 3);
}

double measure_mma_peak(double seconds) {
  begin("mma_peak");
  const Workspace<float> sink(1);
  return mma_peak<OfBf16>(seconds, sink.data());
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
