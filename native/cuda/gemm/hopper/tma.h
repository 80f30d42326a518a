// Copies of tiles into shared memory by the tensor memory accelerator (TMA, sm_90): one thread issues the copy of a
// box, and an mbarrier counts its bytes. Elements outside of the matrix arrive as zeros and count too.
#pragma once
#include "cuda/gemm/hopper/mbarrier.h"
#include "cuda/gemm/hopper/tensor_map.h"

#ifndef MORPHMLP_CUDA_EMULATED

namespace morphmlp::cuda {

// Copies the box at (row, column). `to` is aligned to 1024 bytes.
__device__ inline void load_box(Bf16* to, const TensorMap& map, Mbarrier& barrier, int column, int row) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::
          "r"(shared_address(to)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(column), "r"(row)
      : "memory");
}

}  // namespace morphmlp::cuda

#endif
