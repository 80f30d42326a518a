// Product of a warpgroup, four warps whose first is a multiple of four (wgmma, sm_90a): both operands in shared memory,
// accumulators in the registers of the 128 threads. All threads call these functions together.
#pragma once
#include "cuda/gemm/hopper/mbarrier.h"

namespace morphmlp::cuda {

// The leading offset of an operand by rows is unused in swizzled layouts; its field holds 1.
constexpr uint32_t kUnusedOffset = 1 << 4;

__device__ constexpr uint64_t descriptor_field(uint32_t bytes) { return (bytes & 0x3FFFF) >> 4; }

// Descriptor of an operand in shared memory, in the 128-byte swizzle (PTX ISA, "Matrix Descriptor Format"). By rows, 64
// values of k in each: eight rows are 128 bytes apart, the next eight follow after `stride` bytes, and `leading` is
// unused. Transposed, 64 rows or columns of the result in each: k is laid out as the rows are, and the next 64 follow
// after `leading` bytes.
__device__ constexpr uint64_t matrix_descriptor(uint32_t start, uint32_t leading, uint32_t stride) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  return descriptor_field(start) | descriptor_field(leading) << 16 | descriptor_field(stride) << 32 | kSwizzle128;
}

}  // namespace morphmlp::cuda

#ifdef MORPHMLP_CUDA_EMULATED
#include "test/emulator/wgmma.h"
#else

namespace morphmlp::cuda {

// Required before the first wgmma and whenever other code has written the accumulators.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Commits a group of wgmma; waits for all groups except the last kLater.
__device__ inline void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kLater>
__device__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLater) : "memory");
}

// Keeps reads of the accumulators behind the last wait.
template <int kCount>
__device__ void pin_after_wait(float (&sums)[kCount]) {
#pragma unroll
  for (float& sum : sums) asm volatile("" : "+f"(sum)::"memory");
}

// setmaxnreg: registers a thread of the warpgroup, released or acquired.
template <int kRegisters>
__device__ void dealloc_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ void alloc_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

#define MORPHMLP_FOUR(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define MORPHMLP_28(d, i)                                                                          \
  MORPHMLP_FOUR(d, i), MORPHMLP_FOUR(d, i + 4), MORPHMLP_FOUR(d, i + 8), MORPHMLP_FOUR(d, i + 12), \
      MORPHMLP_FOUR(d, i + 16), MORPHMLP_FOUR(d, i + 20), MORPHMLP_FOUR(d, i + 24)
#define MORPHMLP_NAMES_32                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define MORPHMLP_NAMES_56                                                    \
  MORPHMLP_NAMES_32                                                          \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, " \
  "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55"
#define MORPHMLP_NAMES_84                                                    \
  MORPHMLP_NAMES_56                                                          \
  ", %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, " \
  "%70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83"
#define MORPHMLP_NAMES_112                                                   \
  MORPHMLP_NAMES_84                                                          \
  ", %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, " \
  "%98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define MORPHMLP_WGMMA(n, names, operands, ...)                                                     \
  asm volatile("wgmma.mma_async.sync.aligned.m64n" n "k16.f32.bf16.bf16 {" names "}, " operands ";" \
               : __VA_ARGS__                                                                        \
               : "l"(a), "l"(b), "n"(kTransposeA), "n"(kTransposeB))

// d[64, kN] += a[64, 16] b[16, kN], bf16 into f32, asynchronously; a transposed operand is stored by columns. Lane l of
// warp w holds in d[4 j + 2 h + i] row 16 w + l / 4 + 8 h, column 8 j + 2 (l % 4) + i.
template <int kN, bool kTransposeA, bool kTransposeB>
__device__ void wgmma(float (&d)[kN / 2], uint64_t a, uint64_t b) {
  static_assert(kN == 64 || kN == 112 || kN == 168 || kN == 224, "a width that has no instruction here");
  if constexpr (kN == 64)  // one whole box: the smoke test's control of transposed operands
    MORPHMLP_WGMMA("64", MORPHMLP_NAMES_32, "%32, %33, 1, 1, 1, %34, %35", MORPHMLP_28(d, 0), MORPHMLP_FOUR(d, 28));
  if constexpr (kN == 112)
    MORPHMLP_WGMMA("112", MORPHMLP_NAMES_56, "%56, %57, 1, 1, 1, %58, %59", MORPHMLP_28(d, 0), MORPHMLP_28(d, 28));
  if constexpr (kN == 168)
    MORPHMLP_WGMMA("168", MORPHMLP_NAMES_84, "%84, %85, 1, 1, 1, %86, %87", MORPHMLP_28(d, 0), MORPHMLP_28(d, 28),
                   MORPHMLP_28(d, 56));
  if constexpr (kN == 224)
    MORPHMLP_WGMMA("224", MORPHMLP_NAMES_112, "%112, %113, 1, 1, 1, %114, %115", MORPHMLP_28(d, 0), MORPHMLP_28(d, 28),
                   MORPHMLP_28(d, 56), MORPHMLP_28(d, 84));
}

#undef MORPHMLP_WGMMA
#undef MORPHMLP_NAMES_112
#undef MORPHMLP_NAMES_84
#undef MORPHMLP_NAMES_56
#undef MORPHMLP_NAMES_32
#undef MORPHMLP_28
#undef MORPHMLP_FOUR

}  // namespace morphmlp::cuda

#endif
