// MORPHMLP_BOTH marks functions that the CPU's kernels and the GPU's share. They are in the namespace MORPHMLP_ISA: one
// for each instruction set, and `cuda`.
#pragma once

#ifndef MORPHMLP_ISA
#define MORPHMLP_ISA cuda
#endif
#if defined(__CUDACC__)
#define MORPHMLP_BOTH __host__ __device__
#else
#define MORPHMLP_BOTH
#endif
