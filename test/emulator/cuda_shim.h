// CUDA's vocabulary for a C++ compiler, so that the kernels of native/cuda run on the CPU: a test of their logic, not
// of a GPU's memory model. The threads of a block run one after another as fibers, a warp as far as it gets before the
// next one starts (fibers.cc), so a value that a later warp has yet to write is missed; with threads.cc they are real
// threads, for ThreadSanitizer.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__

struct uint3 {
  unsigned x, y, z;
};

struct alignas(16) float4 {
  float x, y, z, w;
};

inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

struct alignas(8) uint2 {
  unsigned x, y;
};

inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

namespace shim {

constexpr int kWarp = 32;

// Indices of the running thread.
extern thread_local uint3 thread_index, block_index, grid_size;

using Body = void (*)(const void* kernel, void* shared);

// Runs body(kernel, shared) for every thread of every block; `shared` is filled with NaN for each block.
void run_grid(int64_t x, int64_t y, int64_t z, int threads, size_t shared_bytes, Body body, const void* kernel);

void sync_block();
void sync_warp();
constexpr int kSlot = 32;  // bytes
void* lane_slots();        // kWarp slots that the calling thread's warp shares

inline int lane_index() { return static_cast<int>(thread_index.x % kWarp); }
inline char* slot_of(int lane) { return static_cast<char*>(lane_slots()) + kSlot * lane; }

// Lays the value where the other lanes of the warp find it, in slot_of(this lane), and waits until all have. Before the
// slots are used again the warp must have met once more.
template <class T>
void share(const T& value) {
  static_assert(sizeof(T) <= kSlot, "too large for a slot");
  std::memcpy(slot_of(lane_index()), &value, sizeof(T));
  sync_warp();
}

// Returns the value of lane from(lane).
template <class T, class From>
T shuffle(T value, From from) {
  const int lane = lane_index();
  share(value);
  T other;
  std::memcpy(&other, slot_of(from(lane)), sizeof(T));
  sync_warp();
  return other;
}

// Aborts where a GPU would fault: a vector access must begin at a multiple of its alignment.
inline void check_aligned(const void* address, size_t alignment) {
  if (reinterpret_cast<uintptr_t>(address) % alignment == 0) return;
  std::fprintf(stderr, "cuda_shim: misaligned vector access: %p is no multiple of %zu bytes\n", address, alignment);
  std::abort();
}

// Shared memory as TMA and wgmma see it (PTX ISA, "Async proxy"): what TMA brought, and what a thread wrote, by
// store_words or a copy, once that thread has fenced; until then it is NaN to them. From `watch_writes` on, in a block.
void watch_writes();
void wrote(void* to, size_t bytes);
void fence_writes();
void publish(const void* what, size_t bytes);
const char* published_memory();

// Asynchronous copies of a thread, 16 bytes each. The destination is NaN from the call that starts a copy to the one
// that waits for it: it is overwritten as early and arrives as late as the ISA allows.
class Copies {
 public:
  void add(void* to, const void* from) {
    check_aligned(to, kBytes);
    check_aligned(from, kBytes);
    std::memset(to, 0xFF, kBytes);
    wrote(to, kBytes);
    pending_.push_back({to, from, groups_});
  }
  void end_group() { ++groups_; }
  void wait(int later) {
    for (; !pending_.empty() && pending_.front().group < groups_ - later; pending_.pop_front()) {
      std::memcpy(pending_.front().to, pending_.front().from, kBytes);
      wrote(pending_.front().to, kBytes);
    }
  }

 private:
  static constexpr size_t kBytes = 16;
  struct Copy {
    void* to;
    const void* from;
    int group;
  };
  std::deque<Copy> pending_;
  int groups_ = 0;
};

Copies& copies();  // of the thread that runs now

// Asynchronous products of a thread. Accumulators are NaN from the call that starts a product to the one that waits for
// it, and operands are read as late as that: a stage that is refilled too early is detected.
class Products {
 public:
  using Step = std::function<void(float* sums)>;
  void fence() { fenced_ = true; }
  bool fenced() const { return fenced_; }
  void add(float* sums, int n, const Step& step) {
    if (real_.find(sums) == real_.end()) real_[sums].assign(sums, sums + n);
    std::memset(sums, 0xFF, sizeof(float) * static_cast<size_t>(n));
    pending_.push_back({sums, step, groups_});
  }
  void end_group() { ++groups_; }
  void wait(int later) {
    for (; !pending_.empty() && pending_.front().group < groups_ - later; pending_.pop_front())
      finish(pending_.front());
    fenced_ = false;
  }

 private:
  struct One {
    float* sums;
    Step step;
    int group;
  };
  void finish(const One& one) {
    std::vector<float>& real = real_[one.sums];
    one.step(real.data());
    int left = 0;
    for (const One& other : pending_) left += other.sums == one.sums;
    if (left > 1) return;
    std::memcpy(one.sums, real.data(), real.size() * sizeof(float));
    real_.erase(one.sums);
  }

  std::deque<One> pending_;
  std::map<float*, std::vector<float>> real_;
  int groups_ = 0;
  bool fenced_ = false;
};

Products& products();  // of the thread that runs now

char* shared_memory();  // of the block that runs now
void wait_until(const std::function<bool()>& holds);
void change(const std::function<void()>& how);  // what others may wait for
void later(std::function<void()> what);         // what goes on beside the threads: as late as it may

}  // namespace shim

#define threadIdx shim::thread_index
#define blockIdx shim::block_index
#define gridDim shim::grid_size

inline void __syncthreads() { shim::sync_block(); }
inline void __syncwarp(unsigned = 0xffffffffu) { shim::sync_warp(); }

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return shim::shuffle(value, [mask](int lane) { return lane ^ mask; });
}

template <class T>
T __shfl_sync(unsigned, T value, int source) {
  return shim::shuffle(value, [source](int) { return source; });
}
