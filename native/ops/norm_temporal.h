// The temporal part of a block as one kernel: y = x + proj(u), u = temporal FC of LN(x), for tokens [clips, steps,
// positions, C] (temporal_fc.h says how they are mixed). u and LN's statistics are kept for the backward, u only where
// it follows (null otherwise).
#pragma once
#include "ops/temporal_fc.h"
#include "runtime/buffer.h"

namespace morphmlp {

template <class T>
struct NormTemporalForwardOf {
  TemporalFcShape at;
  float eps;
  const T* x;
  const float *gamma, *beta;
  Buffer* weight;     // [T S, T S]
  const float* bias;  // [T S] or null
  Buffer* proj;       // [C, C]
  const float* proj_bias;
  T *y, *u;
  float *mean, *rstd;
};
using NormTemporalForward = NormTemporalForwardOf<float>;

template <class T>
struct NormTemporalBackwardOf {
  TemporalFcShape at;
  const T* x;
  const float *gamma, *beta;
  Buffer *weight, *proj;
  const T *u, *dy;
  const float *mean, *rstd;
  T* dx;
  float *dgamma, *dbeta, *dweight, *dbias, *dproj, *dproj_bias;  // dbias may be null
};
using NormTemporalBackward = NormTemporalBackwardOf<float>;

}  // namespace morphmlp
