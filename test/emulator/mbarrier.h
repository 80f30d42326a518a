// mbarrier for the emulation, as the PTX ISA describes it ("Phase of the mbarrier object", "Tracking asynchronous
// operations by the mbarrier object"). A wait for a phase that never completes is reported (fibers.cc).
#pragma once
#include <cstdio>
#include <cstdlib>

#include "cuda/numbers.h"

namespace morphmlp::cuda {

namespace emulated {

[[noreturn]] inline void refuse(const char* what) {
  std::fprintf(stderr, "cuda_shim: %s\n", what);
  std::abort();
}

struct Phase {
  uint64_t parity : 1, expected : 20, pending : 20;
  int64_t bytes : 23;
};

constexpr uint64_t kUnset = (1 << 20) - 1;  // value of uninitialised shared memory

inline Phase phase_of(const Mbarrier& barrier) {
  Phase phase;
  std::memcpy(&phase, &barrier, sizeof(phase));
  if (phase.expected == kUnset) refuse("a barrier is used before it was initialised");
  return phase;
}

inline void set(Mbarrier& barrier, Phase phase) {
  if (phase.pending == 0 && phase.bytes == 0) {
    phase.parity ^= 1;
    phase.pending = phase.expected;
  }
  std::memcpy(&barrier, &phase, sizeof(phase));
}

inline void count(Mbarrier& barrier, int arrivals, int64_t bytes) {
  Phase phase = phase_of(barrier);
  if (static_cast<uint64_t>(arrivals) > phase.pending) refuse("more arrivals than a barrier expects");
  phase.pending -= static_cast<uint64_t>(arrivals);
  phase.bytes += bytes;
  set(barrier, phase);
}

}  // namespace emulated

// Shared memory begins after the kilobyte that CUDA reserves on sm_90.
inline uint32_t shared_address(const void* data) {
  return static_cast<uint32_t>(static_cast<const char*>(data) - shim::shared_memory()) + 1024;
}

inline void init(Mbarrier& barrier, int arrivals) {
  shim::watch_writes();
  const auto n = static_cast<uint64_t>(arrivals);
  const emulated::Phase phase{0, n, n, 0};
  std::memcpy(&barrier, &phase, sizeof(phase));
}

inline void fence_barrier_init() {}
inline void fence_async_proxy() { shim::fence_writes(); }

inline void arrive(Mbarrier& barrier) {
  shim::change([&] { emulated::count(barrier, 1, 0); });
}

inline void arrive_expect_tx(Mbarrier& barrier, uint32_t bytes) {
  shim::change([&] { emulated::count(barrier, 1, bytes); });
}

inline void wait(Mbarrier& barrier, uint32_t parity) {
  shim::wait_until([&barrier, parity] { return emulated::phase_of(barrier).parity != parity; });
}

}  // namespace morphmlp::cuda
