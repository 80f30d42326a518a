#include "ops/grad_norm.h"

#include "cuda/ops/multi_tensor_apply.h"

namespace morphmlp::cuda {
namespace {

struct SumShared {
  double warps[Unshared::kThreads / kWarpSize];
};

// squares[chunk] is the sum of the squares of a chunk.
struct Squares {
  static constexpr int kThreads = Unshared::kThreads;
  using Shared = SumShared;
  const TensorChunk* chunks;
  double* squares;

  __device__ void operator()(Shared& shared) const {
    const TensorChunk& chunk = chunks[blockIdx.x];
    double sum = 0;
    for (int64_t i = threadIdx.x; i < chunk.length; i += kThreads) {
      const double g = chunk.at[0][i];
      sum += g * g;
    }
    sum = block_sum<kThreads>(sum, shared.warps);
    if (threadIdx.x == 0) squares[blockIdx.x] = sum;
  }
};

struct Root {
  static constexpr int kThreads = Unshared::kThreads;
  using Shared = SumShared;
  const double* squares;
  int64_t count;
  float* norm;

  __device__ void operator()(Shared& shared) const {
    double sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += squares[i];
    sum = block_sum<kThreads>(sum, shared.warps);
    if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(sum));
  }
};

struct Scale {
  float factor;
  const float* factor_of_step;
  template <int N>
  __device__ void run(const TensorChunk& chunk, int64_t i) const {
    Vec<N> grad = load<N>(chunk.at[0] + i);
    for (float& g : grad.at) g *= factor_of_step ? *factor_of_step : factor;
    store(chunk.at[0] + i, grad);
  }
};

struct Lerp {
  float weight;
  template <int N>
  __device__ void run(const TensorChunk& chunk, int64_t i) const {
    Vec<N> into = load<N>(chunk.at[0] + i);
    const Vec<N> from = load<N>(chunk.at[1] + i);
    for (int j = 0; j < N; ++j) into.at[j] = fmaf(weight, from.at[j] - into.at[j], into.at[j]);
    store(chunk.at[0] + i, into);
  }
};

}  // namespace

void grad_norm_measure(const GradNormMeasure& p) {
  const std::vector<TensorChunk> chunks = chunks_of_tensors(p.lengths, {read_only(p.gradients)});
  const int64_t count = static_cast<int64_t>(chunks.size());
  const Uploaded<TensorChunk> list(chunks);
  const Workspace<double> squares(count);
  launch({count}, Squares{list.data(), squares.data()});
  launch({1}, Root{squares.data(), count, p.norm});
}

void grad_norm_scale(const GradNormScale& p) {
  multi_tensor_apply(chunks_of_tensors(p.lengths, {written(p.gradients)}), Scale{p.factor, p.factor_of_step});
}

void grad_norm_lerp(const GradNormLerp& p) {
  multi_tensor_apply(chunks_of_tensors(p.lengths, {written(p.into), read_only(p.from)}), Lerp{p.weight});
}

}  // namespace morphmlp::cuda
