// Tiles of matrices into shared memory by the tensor memory accelerator (TMA, sm_90): one thread asks for a box of a
// matrix, a barrier is told when it is there. What lies outside of the matrix comes as zeros and counts as bytes too.
#pragma once
#include "cuda/gemm/hopper/mbarrier.h"
#include "cuda/gemm/hopper/tensor_map.h"

#ifndef MORPHMLP_CUDA_EMULATED

namespace morphmlp::cuda {

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
