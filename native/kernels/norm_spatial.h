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
#include "kernels/reweight.h"

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

struct NormSpatialBranches {
  NormSpatialShape at;
  float eps;
  const float *x, *gamma, *beta;
  Buffer* weight[kMaxBranches];
  const float* bias[kMaxBranches];       // each may be null
  float *branch, *mean, *rstd, *pooled;  // pooled [clips, C]
};

// The gradient of branch_i is weights_i * dmix + dpooled / clip_tokens. dx gets `residual` added where that is not
// null.
struct NormSpatialBranchesBackward {
  NormSpatialShape at;
  const float *x, *gamma, *beta, *mean, *rstd, *weights, *dmix, *dpooled, *residual;
  Buffer* weight[kMaxBranches];
  float *dx, *dgamma, *dbeta;
  float* dweight[kMaxBranches];
  float* dbias[kMaxBranches];  // each may be null
};

struct NormSpatialMix {
  NormSpatialShape at;
  const float *x, *branch, *weights, *scale;
  Buffer* proj;
  const float* proj_bias;
  float* y;
};

struct NormSpatialMixBackward {
  NormSpatialShape at;
  const float *branch, *weights, *scale;
  Buffer* proj;
  const float* dy;
  float *dmix, *dweights, *dproj, *dproj_bias;
};

struct NormSpatialPool {
  NormSpatialShape at;
  float eps;
  const float *x, *gamma, *beta;
  Buffer* weight[kMaxBranches];
  const float* bias[kMaxBranches];  // each may be null
  float *mean, *rstd, *pooled;
};

// x is where the residual starts, xt what is normed and mixed.
struct NormSpatialApply {
  NormSpatialShape at;
  const float *x, *xt, *gamma, *beta, *mean, *rstd, *weights, *scale;
  Buffer* weight[kMaxBranches];
  const float* bias[kMaxBranches];  // each may be null
  Buffer* proj;
  const float* proj_bias;
  float* y;
};

}  // namespace morphmlp
