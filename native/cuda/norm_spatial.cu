#include "cuda/norm_spatial.h"

namespace morphmlp::cuda {
namespace {

// The mean over a clip's tokens of the sum of the branches.
struct Pool {
  static constexpr int kSums = 1;
  const float* branch;
  int64_t stride, tokens;
  int branches, channels;
  float* pooled;

  __device__ void add(int clip, int64_t token, int c, float (&sum)[1]) const {
    const float* from = branch + (clip * tokens + token) * channels + c;
    for (int i = 0; i < branches; ++i) sum[0] += from[i * stride];
  }
  __device__ void finish(int clip, int c, const double (&sum)[1]) const {
    pooled[static_cast<int64_t>(clip) * channels + c] = static_cast<float>(sum[0] / static_cast<double>(tokens));
  }
};

}  // namespace

void norm_spatial_branches(const NormSpatialBranches& p) {
  const int64_t tokens = p.at.tokens(), stride = tokens * p.at.channels;
  const int channels = as_int(p.at.channels), branches = static_cast<int>(p.at.branches());
  norm_statistics(p.x, tokens, channels, p.eps, p.mean, p.rstd);
  for (int i = 0; i < branches; ++i) {
    const MorphLayout layout = branch_layout(p.at, i);
    mixed_fc(layout, layout.rows, channels, Normed<float>{p.x, channels, p.mean, p.rstd, p.gamma, p.beta}, p.weight[i],
             PutBiased<float>{p.branch + i * stride, channels, p.bias[i], false});
  }
  column_sums(p.at.clips, p.at.clip_tokens(), channels,
              Pool{p.branch, stride, p.at.clip_tokens(), branches, channels, p.pooled});
}

// dx collects the gradient of the normed tokens, branch by branch, before LayerNorm's backward turns it into its own.
void norm_spatial_branches_backward(const NormSpatialBranchesBackward& p) {
  const int64_t tokens = p.at.tokens();
  const int channels = as_int(p.at.channels);
  const float share = 1.0f / static_cast<float>(p.at.clip_tokens());
  const Normed<float> normed{p.x, channels, p.mean, p.rstd, p.gamma, p.beta};
  for (int i = 0; i < static_cast<int>(p.at.branches()); ++i) {
    const MorphLayout layout = branch_layout(p.at, i);
    const BranchGradient<float> grad{p.dmix, p.dpooled, share, BranchWeights(p.at, p.weights), i};
    mixed_fc_parameter_gradients(layout, layout.rows, channels, grad, normed, p.dweight[i], p.dbias[i]);
    mixed_fc_input_gradient(layout, layout.rows, channels, grad, p.weight[i],
                            PutBiased<float>{p.dx, channels, nullptr, i > 0});
  }
  norm_backward<float>({tokens, channels, p.x, p.gamma, p.mean, p.rstd, p.dx, p.residual, p.dx, p.dgamma, p.dbeta});
}

}  // namespace morphmlp::cuda
