// TMA descriptors; also included by host code alone.
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

// Columns of a box: 128 bytes, the extent of the swizzle, which spreads eight rows of a column over all banks.
constexpr int kBoxColumns = 64;

// Describes a bf16 matrix [rows, columns] whose rows are `leading` values apart, read in boxes of box_rows by
// kBoxColumns. The matrix and its rows begin at multiples of 16 bytes. Throws the error of the driver.
TensorMap tensor_map(const Bf16* data, int64_t rows, int64_t columns, int64_t leading, int box_rows);

}  // namespace morphmlp::cuda
