// Caches freed device memory by size class, since cudaFree waits for the GPU. Blocks used by a recorded graph stay with
// it until it is destroyed, because each replay writes to them; graphs that never run at the same time may share a
// pool. Not thread safe.
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
  using Blocks = std::unordered_map<size_t, std::vector<void*>>;

  // Unused blocks of one graph, or of several that never run at the same time.
  struct Pool {
    Blocks free;
  };

  BlockCache(Allocate allocate, Free free) : allocate_(allocate), free_(free) {}

  // Returns nullptr where the device is out of memory even with the cache emptied.
  void* take(size_t request) {
    const size_t bytes = size_class(request);
    void* data = recording_ ? take_from(recording_->free, bytes) : nullptr;
    if (!data) data = take_from(cached_, bytes);
    if (!data && !(data = allocate_(bytes))) {
      drop();
      data = allocate_(bytes);
    }
    if (!data) return nullptr;
    if (recording_) owners_[data] = recording_;
    count(static_cast<int64_t>(bytes), 1);
    return data;
  }

  // Returns whether the block may be reused by any caller.
  bool give(void* data, size_t request) {
    const size_t bytes = size_class(request);
    if (recording_) owners_.emplace(data, recording_);  // the recorded launches may use it
    const auto owner = owners_.find(data);
    const bool free = owner == owners_.end();
    (free ? cached_ : owner->second->free)[bytes].push_back(data);
    stats.cached += bytes;
    count(-static_cast<int64_t>(bytes), -1);
    return free;
  }

  // Blocks taken or given back until end_recording belong to the pool.
  void begin_recording(Pool* pool) { recording_ = pool; }
  void end_recording() { recording_ = nullptr; }

  // The graphs are gone: their blocks are everybody's again.
  void disown(Pool* pool) {
    for (auto& [bytes, blocks] : pool->free) {
      std::vector<void*>& kept = cached_[bytes];
      kept.insert(kept.end(), blocks.begin(), blocks.end());
    }
    pool->free.clear();
    for (auto at = owners_.begin(); at != owners_.end();) at = at->second == pool ? owners_.erase(at) : std::next(at);
  }

  void drop() {
    for_each_cached([&](void* data, size_t bytes) {
      free_(data);
      stats.cached -= bytes;
    });
    cached_.clear();
  }

  // Blocks of graphs are not included.
  template <class F>
  void for_each_cached(F&& body) {
    for (auto& [bytes, blocks] : cached_)
      for (void* data : blocks) body(data, bytes);
  }

  MemoryStats stats{};

 private:
  void* take_from(Blocks& from, size_t bytes) {
    std::vector<void*>& kept = from[bytes];
    if (kept.empty()) return nullptr;
    void* data = kept.back();
    kept.pop_back();
    stats.cached -= bytes;
    return data;
  }

  void count(int64_t bytes, int64_t blocks) {
    stats.live += static_cast<uint64_t>(bytes);
    stats.live_blocks += static_cast<uint64_t>(blocks);
    stats.peak = std::max(stats.peak, stats.live);
  }

  Allocate allocate_;
  Free free_;
  Blocks cached_;
  Pool* recording_ = nullptr;
  std::unordered_map<void*, Pool*> owners_;
};

}  // namespace morphmlp::cuda
