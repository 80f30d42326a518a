// The temporal part of a block as one kernel: y = x + proj(u), u = temporal FC of LN(x), for tokens [clips, steps,
// positions, C] (temporal_fc.h says how they are mixed). u and LN's statistics are kept for the backward, u only where
// it follows (null otherwise).
#pragma once
#include "kernels/temporal_fc.h"
#include "runtime/buffer.h"

namespace morphmlp {

struct NormTemporalForward {
  TemporalFcShape at;
  float eps;
  const float *x, *gamma, *beta;
  Buffer* weight;     // [T S, T S]
  const float* bias;  // [T S] or null
  Buffer* proj;       // [C, C]
  const float* proj_bias;
  float *y, *mean, *rstd, *u;
};

struct NormTemporalBackward {
  TemporalFcShape at;
  const float *x, *gamma, *beta;
  Buffer *weight, *proj;
  const float *mean, *rstd, *u, *dy;
  float *dx, *dgamma, *dbeta, *dweight, *dbias, *dproj, *dproj_bias;  // dbias may be null
};

}  // namespace morphmlp
