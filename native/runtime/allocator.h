// A caching allocator for tensor storage: freed blocks are kept, small ones by size class, large ones as free pieces of
// one range (pages.h), and handed out again, so a training loop stops asking the system for memory after its first
// step. Thread safe. Every pointer is aligned to 64 bytes (a cache line, a zmm).
#pragma once
#include <cstddef>
#include <cstdint>

namespace morphmlp {

struct MemoryStats {
  uint64_t live;         // bytes handed out (rounded to size classes)
  uint64_t cached;       // bytes kept for reuse
  uint64_t peak;         // highest `live` since the last reset
  uint64_t live_blocks;  // blocks handed out

  MemoryStats& operator+=(const MemoryStats& other) {
    live += other.live;
    cached += other.cached;
    peak += other.peak;
    live_blocks += other.live_blocks;
    return *this;
  }
};

// The number of bytes a request really takes: its size class. At most 1/128 above the request (64 bytes at least).
size_t size_class(size_t bytes);

void* allocate(size_t bytes);
void release(void* data, size_t bytes);  // `bytes` as given to allocate
void release_cache();                    // returns the cached blocks to the system
void poison_cache();                     // fills the cached blocks with NaN (bits 0xFF)
MemoryStats memory_stats();
void reset_peak();

}  // namespace morphmlp
