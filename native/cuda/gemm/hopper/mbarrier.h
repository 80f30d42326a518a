// Barriers in shared memory (mbarrier, sm_90): a phase ends when so many arrivals as were said at the start have come,
// and all bytes that were expected. Phases count 0, 1, 0, 1 … from the first on: their parity.
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

// Where in shared memory it lies, as instructions take it.
__device__ inline uint32_t shared_address(const void* data) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(data));
}

__device__ inline void init(Mbarrier& barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(arrivals) : "memory");
}

// What this thread wrote to shared memory may be read by wgmma, by those who hear of it after this.
__device__ inline void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// After all `init` of a thread: copies may use the barriers then, and other threads behind a __syncthreads.
__device__ inline void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  fence_async_proxy();
}

__device__ inline void arrive(Mbarrier& barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier)) : "memory");
}

// An arrival after which the phase waits for so many bytes too.
__device__ inline void arrive_expect_tx(Mbarrier& barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&barrier)), "r"(bytes)
               : "memory");
}

// Until the phase of this parity has ended. That before the first one has: parity 1 goes on at once.
__device__ inline void wait(Mbarrier& barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}" ::"r"(shared_address(&barrier)),
      "r"(parity)
      : "memory");
}

}  // namespace morphmlp::cuda

#endif
