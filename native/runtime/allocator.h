// Caching allocator for tensor storage. Freed blocks are cached, small ones by size class, large ones as free blocks of
// the arena (arena.h), so that a training loop requests no memory from the system after its first step. Thread-safe.
// Pointers are aligned to 64 bytes (a cache line).
#pragma once
#include <cstddef>
#include <cstdint>

namespace morphmlp {

struct MemoryStats {
  uint64_t live;         // allocated bytes (rounded to size classes)
  uint64_t cached;       // cached bytes
  uint64_t peak;         // highest `live` since the last reset
  uint64_t live_blocks;  // allocated blocks

  MemoryStats& operator+=(const MemoryStats& other) {
    live += other.live;
    cached += other.cached;
    peak += other.peak;
    live_blocks += other.live_blocks;
    return *this;
  }
};

// Bytes allocated for a request: its size class, at most 1/128 above the request, at least 64.
size_t size_class(size_t bytes);

void* allocate(size_t bytes);
void release(void* data, size_t bytes);  // `bytes` must equal that of allocate
void release_cache();                    // returns the cached blocks to the system
void poison_cache();                     // fills the cached blocks with NaN (bits 0xFF)
MemoryStats memory_stats();
void reset_peak();

}  // namespace morphmlp
