// Tensor-core instructions by their PTX names (PTX ISA, "Warp-level matrix instructions"). All 32 lanes of a warp call
// them together.
#pragma once
#include "cuda/numbers.h"

#ifdef MORPHMLP_CUDA_EMULATED
#include "test/emulator/mma.h"
#else

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "mma.sync of bf16 begins with sm_80"
#endif

namespace morphmlp::cuda {

// Loads four 8 x 8 matrices of 16-bit values from shared memory. Lane 8 i + r passes the address of row r of matrix i,
// aligned to 16 bytes; lane l receives values 2 (l % 4) and 2 (l % 4) + 1 of row l / 4 of each matrix i in to[i].
__device__ inline void ldmatrix(uint32_t (&to)[4], const void* row) {
  const auto from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

// Loads the transposed matrices: lane l receives value l / 4 of rows 2 (l % 4) and 2 (l % 4) + 1.
__device__ inline void ldmatrix_trans(uint32_t (&to)[4], const Bf16* row) {
  const auto from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

// d[16, 8] += a[16, 16] b[16, 8], bf16 into f32. With g = lane / 4 and t = 2 (lane % 4), two numbers a word: a[0] is
// (g, t ..), a[1] (g + 8, t ..), a[2] (g, t + 8 ..), a[3] (g + 8, t + 8 ..); b0 is (t .., g), b1 (t + 8 .., g); d[0],
// d[1] are (g, t ..) and d[2], d[3] (g + 8, t ..).
__device__ inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace morphmlp::cuda

#endif
