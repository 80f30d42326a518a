#include "cuda/ops/norm_spatial.h"

namespace morphmlp::cuda {
namespace {

// dweights[clip, c, i] is the sum over the tokens of the clip of dmix times branch i.
template <class T>
struct Weights {
  static constexpr int kSums = kMaxBranches;
  const T *dmix, *branch;
  int64_t stride, tokens;
  int branches, channels;
  float* dweights;

  __device__ void add(int clip, int64_t token, int c, float (&sum)[kSums]) const {
    const int64_t at = (clip * tokens + token) * channels + c;
#pragma unroll
    for (int i = 0; i < kMaxBranches; ++i)
      if (i < branches) sum[i] = fmaf(load(dmix + at), load(branch + i * stride + at), sum[i]);
  }
  __device__ void finish(int clip, int c, const double (&sum)[kSums]) const {
#pragma unroll
    for (int i = 0; i < kMaxBranches; ++i)
      if (i < branches)
        dweights[(static_cast<int64_t>(clip) * channels + c) * branches + i] = static_cast<float>(sum[i]);
  }
};

template <class T, class P>
Mixed<T> mixed(const P& p) {
  return {p.branch, p.at.tokens() * p.at.channels, BranchWeights(p.at, p.weights)};
}

}  // namespace

template <class T>
void norm_spatial_mix(const NormSpatialMixOf<T>& p) {
  const int channels = as_int(p.at.channels);
  gathered_fc<T>(PlainLayout{}, p.at.tokens(), channels, mixed<T>(p), p.proj,
                 ResidualEpilogue<T>{p.x, p.y, channels, p.proj_bias, p.scale, Divisor(p.at.clip_tokens())});
}
FOR_FLOATS(norm_spatial_mix, NormSpatialMix)

template <class T>
void norm_spatial_mix_backward(const NormSpatialMixBackwardOf<T>& p) {
  const int64_t tokens = p.at.tokens();
  const int channels = as_int(p.at.channels), branches = static_cast<int>(p.at.branches());
  const Scaled<T> dy{p.dy, channels, p.scale, Divisor(p.at.clip_tokens())};
  gathered_fc_gradients<T>(PlainLayout{}, tokens, channels, dy, mixed<T>(p), {p.proj, true, p.dproj, p.dproj_bias},
                           BiasEpilogue<T>{p.dmix, channels, nullptr, false});
  column_sums(p.at.clips, p.at.clip_tokens(), channels,
              Weights<T>{p.dmix, p.branch, tokens * channels, p.at.clip_tokens(), branches, channels, p.dweights});
}
FOR_FLOATS(norm_spatial_mix_backward, NormSpatialMixBackward)

}  // namespace morphmlp::cuda
