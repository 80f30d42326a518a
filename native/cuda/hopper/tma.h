// Tiles of matrices into shared memory by the tensor memory accelerator (TMA, sm_90): one thread asks for a box of a
// matrix, a barrier is told when it is there. What lies outside of the matrix comes as zeros and counts as bytes too.
#pragma once
#include <string>

#include "cuda/hopper/mbarrier.h"

#ifdef MORPHMLP_CUDA_EMULATED
#include "test/cuda_shim/tma.h"
#else
#include <cuda.h>

namespace morphmlp::cuda {

using TensorMap = CUtensorMap;

// Both are numbers of the matrix. `to` lies at a multiple of 1024 bytes.
__device__ inline void load_box(Bf16* to, const TensorMap& map, Mbarrier& barrier, int column, int row) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::
          "r"(shared_address(to)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(column), "r"(row)
      : "memory");
}

}  // namespace morphmlp::cuda

#endif

namespace morphmlp::cuda {

// Numbers in a row of a box: the 128 bytes over which 16 are swapped, so that eight rows of one column lie in different
// banks (128-byte swizzle).
constexpr int kBoxColumns = 64;

// A matrix [rows, columns] of bf16 whose rows lie `leading` numbers apart, to be read in boxes of box_rows times
// kBoxColumns. It and its rows begin at multiples of 16 bytes. Throws what the driver has against it.
TensorMap tensor_map(const Bf16* data, int64_t rows, int64_t columns, int64_t leading, int box_rows);

// Why this device has neither that nor wgmma, or "".
std::string hopper_lacks();

}  // namespace morphmlp::cuda
