#include "cuda/norm_spatial.h"

namespace morphmlp::cuda {
namespace {

// dweights[clip, c, i] = the sum over the clip's tokens of dmix times branch i.
struct Weights {
  static constexpr int kSums = kMaxBranches;
  const float *dmix, *branch;
  int64_t stride, tokens;
  int branches, channels;
  float* dweights;

  __device__ void add(int clip, int64_t token, int c, float (&sum)[kSums]) const {
    const int64_t at = (clip * tokens + token) * channels + c;
#pragma unroll
    for (int i = 0; i < kMaxBranches; ++i)
      if (i < branches) sum[i] = fmaf(dmix[at], branch[i * stride + at], sum[i]);
  }
  __device__ void finish(int clip, int c, const double (&sum)[kSums]) const {
#pragma unroll
    for (int i = 0; i < kMaxBranches; ++i)
      if (i < branches)
        dweights[(static_cast<int64_t>(clip) * channels + c) * branches + i] = static_cast<float>(sum[i]);
  }
};

template <class P>
Mixed<float> mixed(const P& p) {
  return {p.branch, p.at.tokens() * p.at.channels, BranchWeights(p.at, p.weights)};
}

}  // namespace

void norm_spatial_mix(const NormSpatialMix& p) {
  const int channels = as_int(p.at.channels);
  mixed_fc(PlainLayout{}, p.at.tokens(), channels, mixed(p), p.proj,
           PutResidual<float>{p.x, p.y, channels, p.proj_bias, p.scale, Divisor(p.at.clip_tokens())});
}

void norm_spatial_mix_backward(const NormSpatialMixBackward& p) {
  const int64_t tokens = p.at.tokens();
  const int channels = as_int(p.at.channels), branches = static_cast<int>(p.at.branches());
  const Scaled<float> dy{p.dy, channels, p.scale, Divisor(p.at.clip_tokens())};
  mixed_fc_input_gradient(PlainLayout{}, tokens, channels, dy, p.proj,
                          PutBiased<float>{p.dmix, channels, nullptr, false});
  mixed_fc_parameter_gradients(PlainLayout{}, tokens, channels, dy, mixed(p), p.dproj, p.dproj_bias);
  column_sums(p.at.clips, p.at.clip_tokens(), channels,
              Weights{p.dmix, p.branch, tokens * channels, p.at.clip_tokens(), branches, channels, p.dweights});
}

}  // namespace morphmlp::cuda
