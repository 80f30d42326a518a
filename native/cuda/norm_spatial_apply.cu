#include "cuda/norm_spatial.h"

namespace morphmlp::cuda {

// The weights are known, so each branch adds itself to the mix as it is made: no tensor of branches exists.
void norm_spatial_apply(const NormSpatialApply& p) {
  const int64_t tokens = p.at.tokens();
  const int channels = as_int(p.at.channels);
  const Workspace<float> mix(tokens * channels);
  for (int i = 0; i < static_cast<int>(p.at.branches()); ++i) {
    const MorphLayout layout = branch_layout(p.at, i);
    mixed_fc(layout, layout.rows, channels, Normed<float>{p.xt, channels, p.mean, p.rstd, p.gamma, p.beta}, p.weight[i],
             PutWeighted<float>{mix.data(), p.bias[i], BranchWeights(p.at, p.weights), i});
  }
  mixed_fc(PlainLayout{}, tokens, channels, Dense<float>{mix.data(), channels}, p.proj,
           PutResidual<float>{p.x, p.y, channels, p.proj_bias, p.scale, Divisor(p.at.clip_tokens())});
}

}  // namespace morphmlp::cuda
