#include "cuda/ops/norm_spatial.h"

namespace morphmlp::cuda {
namespace {

// Mean over the tokens of a clip of the sum of the branches.
template <class T>
struct Pool {
  static constexpr int kSums = 1;
  const T* branch;
  int64_t stride, tokens;
  int branches, channels;
  float* pooled;

  __device__ void add(int clip, int64_t token, int c, float (&sum)[1]) const {
    const T* from = branch + (clip * tokens + token) * channels + c;
    for (int i = 0; i < branches; ++i) sum[0] += load(from + i * stride);
  }
  __device__ void finish(int clip, int c, const double (&sum)[1]) const {
    pooled[static_cast<int64_t>(clip) * channels + c] = static_cast<float>(sum[0] / static_cast<double>(tokens));
  }
};

}  // namespace

template <class T>
void norm_spatial_branches(const NormSpatialBranchesOf<T>& p) {
  const int64_t tokens = p.at.tokens(), stride = tokens * p.at.channels;
  const int channels = as_int(p.at.channels), branches = static_cast<int>(p.at.branches());
  norm_statistics(p.x, tokens, channels, p.eps, p.mean, p.rstd);
  for (int i = 0; i < branches; ++i) {
    const MorphLayout layout = branch_layout(p.at, i);
    gathered_fc<T>(layout, layout.rows, channels, Normed<T>{p.x, channels, p.mean, p.rstd, p.gamma, p.beta},
                   p.weight[i], BiasEpilogue<T>{p.branch + i * stride, channels, p.bias[i], false});
  }
  column_sums(p.at.clips, p.at.clip_tokens(), channels,
              Pool<T>{p.branch, stride, p.at.clip_tokens(), branches, channels, p.pooled});
}
FOR_FLOATS(norm_spatial_branches, NormSpatialBranches)

// dx accumulates the gradient of the normalized tokens over the branches, before the backward of LayerNorm.
template <class T>
void norm_spatial_branches_backward(const NormSpatialBranchesBackwardOf<T>& p) {
  const int64_t tokens = p.at.tokens();
  const int channels = as_int(p.at.channels);
  const float share = 1.0f / static_cast<float>(p.at.clip_tokens());
  const Normed<T> normed{p.x, channels, p.mean, p.rstd, p.gamma, p.beta};
  for (int i = 0; i < static_cast<int>(p.at.branches()); ++i) {
    const MorphLayout layout = branch_layout(p.at, i);
    const BranchGradient<T> grad{p.dmix, p.dpooled, share, BranchWeights(p.at, p.weights), i};
    gathered_fc_gradients<T>(layout, layout.rows, channels, grad, normed, {p.weight[i], true, p.dweight[i], p.dbias[i]},
                             BiasEpilogue<T>{p.dx, channels, nullptr, i > 0});
  }
  norm_backward<T>({tokens, channels, p.x, p.gamma, p.mean, p.rstd, p.dx, p.residual, p.dx, p.dgamma, p.dbeta});
}
FOR_FLOATS(norm_spatial_branches_backward, NormSpatialBranchesBackward)

}  // namespace morphmlp::cuda
