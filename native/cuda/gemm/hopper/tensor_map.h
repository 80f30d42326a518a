// How a matrix is described to TMA; for the host alone too.
#pragma once
#include <cstdint>

#include "ops/bf16.h"

#ifdef MORPHMLP_CUDA_EMULATED
#include "cuda/gemm/hopper/mbarrier.h"
#include "test/emulator/tma.h"
#else
#include <cuda.h>

namespace morphmlp::cuda {
using TensorMap = CUtensorMap;
}
#endif

namespace morphmlp::cuda {

// Vec in a row of a box: the 128 bytes over which 16 are swapped, so that eight rows of one column lie in different
// banks (128-byte swizzle).
constexpr int kBoxColumns = 64;

// A matrix [rows, columns] of bf16 whose rows lie `leading` numbers apart, to be read in boxes of box_rows times
// kBoxColumns. It and its rows begin at multiples of 16 bytes. Throws what the driver has against it.
TensorMap tensor_map(const Bf16* data, int64_t rows, int64_t columns, int64_t leading, int box_rows);

}  // namespace morphmlp::cuda
