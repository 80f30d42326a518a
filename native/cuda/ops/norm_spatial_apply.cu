#include "cuda/ops/fused_spatial.h"
#include "cuda/ops/norm_spatial.h"

namespace morphmlp::cuda {

// The branch weights are given: each branch adds to the mix as it is computed, and no branch tensor exists.
template <class T>
void norm_spatial_apply(const NormSpatialApplyOf<T>& p) {
  if constexpr (std::is_same_v<T, Bf16>)
    if (fused_spatial(p)) return;
  const int64_t tokens = p.at.tokens();
  const int channels = as_int(p.at.channels);
  const Workspace<T> mix(tokens * channels);
  for (int i = 0; i < static_cast<int>(p.at.branches()); ++i) {
    const MorphLayout layout = branch_layout(p.at, i);
    gathered_fc<T>(layout, layout.rows, channels, Normed<T>{p.xt, channels, p.mean, p.rstd, p.gamma, p.beta},
                   p.weight[i], WeightedEpilogue<T>{mix.data(), p.bias[i], BranchWeights(p.at, p.weights), i});
  }
  gathered_fc<T>(PlainLayout{}, tokens, channels, Dense<T>{mix.data(), channels}, p.proj,
                 ResidualEpilogue<T>{p.x, p.y, channels, p.proj_bias, p.scale, Divisor(p.at.clip_tokens())});
}
FOR_FLOATS(norm_spatial_apply, NormSpatialApply)

}  // namespace morphmlp::cuda
