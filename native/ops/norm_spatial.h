// The spatial part of a block in two steps, for tokens [clips, steps, height, width, C]; what weighs the branches lies
// between them and is small:
//   branches: branch_i = FC_i(LN(x)) and their mean over the tokens of a clip, summed over i;
//   mix: y = x + scale * proj(sum over i of weights_i * branch_i), with one scale a clip or null.
// Without a backward the branches themselves are not needed, and their mean, being linear in LN(x), is known before
// them:
//   pool: the mean of the branches' sum, from sums of LN(x) over the chunks' positions (C^2 multiply-adds a frame);
//   apply: y as above, in one pass over tiles that stay in cache.
// With `strided` (stage 4) branch 0 is the horizontal FC in strided order and branch 1 the channel FC; otherwise they
// are the vertical, the horizontal and the channel FC (morph_fc.h). branch is one tensor [branches, tokens, C], weights
// is [clips, C, branches] (reweight.h).
#pragma once
#include "ops/reweight.h"

#include "runtime/buffer.h"

namespace morphmlp {

struct NormSpatialShape {
  int64_t clips, steps, height, width, channels, chunk;
  bool strided;

  int64_t branches() const { return strided ? 2 : 3; }
  int64_t frames() const { return clips * steps; }
  int64_t frame_tokens() const { return height * width; }
  int64_t clip_tokens() const { return steps * height * width; }
  int64_t tokens() const { return clips * clip_tokens(); }
};

template <class T>
struct NormSpatialBranchesOf {
  NormSpatialShape at;
  float eps;
  const T* x;
  const float *gamma, *beta;
  Buffer* weight[kMaxBranches];
  const float* bias[kMaxBranches];  // each may be null
  T* branch;
  float *mean, *rstd, *pooled;  // pooled [clips, C]
};
using NormSpatialBranches = NormSpatialBranchesOf<float>;

// The gradient of branch_i is weights_i * dmix + dpooled / clip_tokens. dx gets `residual` added where that is not
// null.
template <class T>
struct NormSpatialBranchesBackwardOf {
  NormSpatialShape at;
  const T *x, *dmix, *residual;
  const float *gamma, *beta, *mean, *rstd, *weights, *dpooled;
  Buffer* weight[kMaxBranches];
  T* dx;
  float *dgamma, *dbeta;
  float* dweight[kMaxBranches];
  float* dbias[kMaxBranches];  // each may be null
};
using NormSpatialBranchesBackward = NormSpatialBranchesBackwardOf<float>;

template <class T>
struct NormSpatialMixOf {
  NormSpatialShape at;
  const T *x, *branch;
  const float *weights, *scale;
  Buffer* proj;
  const float* proj_bias;
  T* y;
};
using NormSpatialMix = NormSpatialMixOf<float>;

template <class T>
struct NormSpatialMixBackwardOf {
  NormSpatialShape at;
  const T* branch;
  const float *weights, *scale;
  Buffer* proj;
  const T* dy;
  T* dmix;
  float *dweights, *dproj, *dproj_bias;
};
using NormSpatialMixBackward = NormSpatialMixBackwardOf<float>;

template <class T>
struct NormSpatialPoolOf {
  NormSpatialShape at;
  float eps;
  const T* x;
  const float *gamma, *beta;
  Buffer* weight[kMaxBranches];
  const float* bias[kMaxBranches];  // each may be null
  float *mean, *rstd, *pooled;
};
using NormSpatialPool = NormSpatialPoolOf<float>;

// x is where the residual starts, xt what is normed and mixed.
template <class T>
struct NormSpatialApplyOf {
  NormSpatialShape at;
  const T *x, *xt;
  const float *gamma, *beta, *mean, *rstd, *weights, *scale;
  Buffer* weight[kMaxBranches];
  const float* bias[kMaxBranches];  // each may be null
  Buffer* proj;
  const float* proj_bias;
  T* y;
};
using NormSpatialApply = NormSpatialApplyOf<float>;

}  // namespace morphmlp
