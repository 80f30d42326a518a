// mbarrier objects in shared memory (sm_90): a phase completes when the expected arrivals and bytes have come. Phases
// have parity 0, 1, 0, 1 ...
#pragma once
#include "cuda/numbers.h"

namespace morphmlp::cuda {

struct Mbarrier {
  uint64_t opaque;
};

}  // namespace morphmlp::cuda

#ifdef MORPHMLP_CUDA_EMULATED
#include "test/emulator/mbarrier.h"
#else

namespace morphmlp::cuda {

// Address in the shared window, as PTX instructions take it.
__device__ inline uint32_t shared_address(const void* data) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(data));
}

__device__ inline void init(Mbarrier& barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(arrivals) : "memory");
}

// Makes writes of this thread to shared memory visible to wgmma and TMA.
__device__ inline void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Follows the init of all barriers: copies may use them then, other threads after a __syncthreads.
__device__ inline void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  fence_async_proxy();
}

__device__ inline void arrive(Mbarrier& barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier)) : "memory");
}

// Arrives, and adds to the bytes that the phase waits for.
__device__ inline void arrive_expect_tx(Mbarrier& barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&barrier)), "r"(bytes)
               : "memory");
}

__device__ inline bool try_wait(Mbarrier& barrier, uint32_t parity) {
  uint32_t done;
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
      "selp.u32 %0, 1, 0, done;\n"
      "}"
      : "=r"(done)
      : "r"(shared_address(&barrier)), "r"(parity)
      : "memory");
  return done != 0;
}

// Waits until the phase of this parity has ended. The phase before the first counts as ended: parity 1 returns at once.
// Compiled with MORPHMLP_CUDA_DEBUG, a wait of four seconds becomes a fault of the kernel in place of a hang. They are
// measured, since a try may itself wait for as long as the device likes.
__device__ inline void wait(Mbarrier& barrier, uint32_t parity) {
#ifdef MORPHMLP_CUDA_DEBUG
  const auto now = [] {
    uint64_t nanoseconds;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(nanoseconds));
    return nanoseconds;
  };
  const uint64_t start = now();
  while (!try_wait(barrier, parity))
    if (now() - start > 4000000000) __trap();
#else
  while (!try_wait(barrier, parity)) {
  }
#endif
}

}  // namespace morphmlp::cuda

#endif
