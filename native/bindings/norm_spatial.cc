#include "ops/norm_spatial.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

NormSpatialShape read_shape(Args& a) {
  NormSpatialShape at{};
  at.clips = a.size("clips");
  at.steps = a.size("steps");
  at.height = a.size("height");
  at.width = a.size("width");
  at.channels = a.size("channels");
  at.chunk = a.size("chunk");
  at.strided = a.flag("strided");
  if (at.chunk < 1 || at.channels % at.chunk != 0) a.reject("channels must be a multiple of chunk");
  if (at.clips < 1 || at.steps < 1 || at.height < 1 || at.width < 1) a.reject("no tokens");
  if (at.channels < 1) a.reject("no channels");
  return at;
}

// The numbers of floats of what the kernels take.
struct Sizes {
  explicit Sizes(const NormSpatialShape& at)
      : tokens(count({at.clips, at.steps, at.height, at.width})),
        elements(count({tokens, at.channels})),
        branch(count({at.branches(), elements})),
        pooled(count({at.clips, at.channels})),
        weights(count({pooled, at.branches()})),
        square(count({at.channels, at.channels})) {}
  int64_t tokens, elements, branch, pooled, weights, square;
};

}  // namespace

template <class T>
void fill(Args& a, NormSpatialBranchesOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.eps = a.real("eps");
  p.x = a.in("x", size.elements);
  p.gamma = a.in("gamma", p.at.channels);
  p.beta = a.in("beta", p.at.channels);
  for (int64_t i = 0; i < p.at.branches(); ++i) {
    p.weight[i] = a.in_buffer("weight", size.square);
    p.bias[i] = a.in_or_null("bias", p.at.channels);
  }
  p.branch = a.out("branch", size.branch);
  p.mean = a.out("mean", size.tokens);
  p.rstd = a.out("rstd", size.tokens);
  p.pooled = a.out("pooled", size.pooled);
}
READS_FLOATS(NormSpatialBranches)

template <class T>
void fill(Args& a, NormSpatialBranchesBackwardOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.x = a.in("x", size.elements);
  p.gamma = a.in("gamma", p.at.channels);
  p.beta = a.in("beta", p.at.channels);
  p.mean = a.in("mean", size.tokens);
  p.rstd = a.in("rstd", size.tokens);
  p.weights = a.in("weights", size.weights);
  p.dmix = a.in("dmix", size.elements);
  p.dpooled = a.in("dpooled", size.pooled);
  p.residual = a.in_or_null("residual", size.elements);
  for (int64_t i = 0; i < p.at.branches(); ++i) p.weight[i] = a.in_buffer("weight", size.square);
  p.dx = a.out("dx", size.elements);
  p.dgamma = a.out("dgamma", p.at.channels);
  p.dbeta = a.out("dbeta", p.at.channels);
  for (int64_t i = 0; i < p.at.branches(); ++i) {
    p.dweight[i] = a.out("dweight", size.square);
    p.dbias[i] = a.out_or_null("dbias", p.at.channels);
  }
}
READS_FLOATS(NormSpatialBranchesBackward)

template <class T>
void fill(Args& a, NormSpatialMixOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.x = a.in("x", size.elements);
  p.branch = a.in("branch", size.branch);
  p.weights = a.in("weights", size.weights);
  p.scale = a.in_or_null("scale", p.at.clips);
  p.proj = a.in_buffer("proj", size.square);
  p.proj_bias = a.in("proj_bias", p.at.channels);
  p.y = a.out("y", size.elements);
}
READS_FLOATS(NormSpatialMix)

template <class T>
void fill(Args& a, NormSpatialMixBackwardOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.branch = a.in("branch", size.branch);
  p.weights = a.in("weights", size.weights);
  p.scale = a.in_or_null("scale", p.at.clips);
  p.proj = a.in_buffer("proj", size.square);
  p.dy = a.in("dy", size.elements);
  p.dmix = a.out("dmix", size.elements);
  p.dweights = a.out("dweights", size.weights);
  p.dproj = a.out("dproj", size.square);
  p.dproj_bias = a.out("dproj_bias", p.at.channels);
}
READS_FLOATS(NormSpatialMixBackward)

template <class T>
void fill(Args& a, NormSpatialPoolOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.eps = a.real("eps");
  p.x = a.in("x", size.elements);
  p.gamma = a.in("gamma", p.at.channels);
  p.beta = a.in("beta", p.at.channels);
  for (int64_t i = 0; i < p.at.branches(); ++i) {
    p.weight[i] = a.in_buffer("weight", size.square);
    p.bias[i] = a.in_or_null("bias", p.at.channels);
  }
  p.mean = a.out("mean", size.tokens);
  p.rstd = a.out("rstd", size.tokens);
  p.pooled = a.out("pooled", size.pooled);
}
READS_FLOATS(NormSpatialPool)

template <class T>
void fill(Args& a, NormSpatialApplyOf<T>& p) {
  p.at = read_shape(a);
  const Sizes size(p.at);
  p.x = a.in("x", size.elements);
  p.xt = a.in("xt", size.elements);
  p.gamma = a.in("gamma", p.at.channels);
  p.beta = a.in("beta", p.at.channels);
  p.mean = a.in("mean", size.tokens);
  p.rstd = a.in("rstd", size.tokens);
  p.weights = a.in("weights", size.weights);
  p.scale = a.in_or_null("scale", p.at.clips);
  for (int64_t i = 0; i < p.at.branches(); ++i) {
    p.weight[i] = a.in_buffer("weight", size.square);
    p.bias[i] = a.in_or_null("bias", p.at.channels);
  }
  p.proj = a.in_buffer("proj", size.square);
  p.proj_bias = a.in("proj_bias", p.at.channels);
  p.y = a.out("y", size.elements);
}
READS_FLOATS(NormSpatialApply)

}  // namespace morphmlp
