// Runs the element functions of native/baselines/naive and native/baselines/fc_by_gemm.h as kernels of this library.
#pragma once
#include <math.h>

#include "cuda/launch.h"
#include "morphmlp_kernel.h"

#define MORPHMLP_DEVICE __host__ __device__
#define MORPHMLP_HERE MORPHMLP_CUDA
#define MORPHMLP_EACH_IS_DEFINED

template <class Body>
int32_t morphmlp_each(const morphmlp_call*, int64_t n, Body body) {
  morphmlp::cuda::launch_each(n, body);
  return MORPHMLP_OK;
}

#include "morphmlp_each.h"
