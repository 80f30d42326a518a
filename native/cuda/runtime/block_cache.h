// Freed blocks of memory by size class, to be handed out again: for device memory, where asking the driver would wait
// for the GPU. Not thread safe.
#pragma once
#include <algorithm>
#include <unordered_map>
#include <vector>

#include "runtime/allocator.h"

namespace morphmlp::cuda {

class BlockCache {
 public:
  using Allocate = void* (*)(size_t bytes);  // nullptr where there is no memory left
  using Free = void (*)(void* data);
  BlockCache(Allocate allocate, Free free) : allocate_(allocate), free_(free) {}

  // nullptr where there is no memory, also after the cache was given back.
  void* take(size_t request) {
    const size_t bytes = size_class(request);
    std::vector<void*>& kept = free_blocks_[bytes];
    void* data = nullptr;
    if (!kept.empty()) {
      data = kept.back();
      kept.pop_back();
      stats.cached -= bytes;
    } else if (!(data = allocate_(bytes))) {
      drop();
      data = allocate_(bytes);
    }
    if (data) count(static_cast<int64_t>(bytes), 1);
    return data;
  }

  void give(void* data, size_t request) {
    const size_t bytes = size_class(request);
    free_blocks_[bytes].push_back(data);
    stats.cached += bytes;
    count(-static_cast<int64_t>(bytes), -1);
  }

  void drop() {
    for_each_cached([&](void* data, size_t) { free_(data); });
    free_blocks_.clear();
    stats.cached = 0;
  }

  template <class F>
  void for_each_cached(F&& body) {
    for (auto& [bytes, blocks] : free_blocks_)
      for (void* data : blocks) body(data, bytes);
  }

  MemoryStats stats{};

 private:
  void count(int64_t bytes, int64_t blocks) {
    stats.live += static_cast<uint64_t>(bytes);
    stats.live_blocks += static_cast<uint64_t>(blocks);
    stats.peak = std::max(stats.peak, stats.live);
  }

  Allocate allocate_;
  Free free_;
  std::unordered_map<size_t, std::vector<void*>> free_blocks_;
};

}  // namespace morphmlp::cuda
