// Asynchronous copies from device to shared memory (cp.async, sm_80) in groups. A thread waits for its own copies; a
// barrier makes those of other threads visible.
#pragma once
#include "cuda/numbers.h"

namespace morphmlp::cuda {

#ifdef MORPHMLP_CUDA_EMULATED

inline void copy_async(void* to, const void* from) { shim::copies().add(to, from); }
inline void end_copy_group() { shim::copies().end_group(); }
template <int kLater>
void wait_for_copies() {
  shim::copies().wait(kLater);
}

#else

// Copies 16 bytes; both addresses are aligned to 16. Cached in L1, where other blocks of the SM find them.
__device__ inline void copy_async(void* to, const void* from) {
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from) : "memory");
}

__device__ inline void end_copy_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for all groups that this thread committed except the last kLater.
template <int kLater>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLater) : "memory");
}

#endif

// Copies kCount objects with all kThreads of a block.
template <int kThreads, int kCount = 1, class T>
__device__ void copy_async_by_block(T* to, const T* from) {
  constexpr int kEach = 16, kBytes = kCount * static_cast<int>(sizeof(T));
  static_assert(sizeof(T) % kEach == 0, "a copy moves 16 bytes");
  for (int i = static_cast<int>(threadIdx.x) * kEach; i < kBytes; i += kThreads * kEach)
    copy_async(reinterpret_cast<char*>(to) + i, reinterpret_cast<const char*>(from) + i);
}

}  // namespace morphmlp::cuda
