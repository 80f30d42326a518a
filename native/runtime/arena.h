// First-fit arena with coalescing. Blocks of 64 KiB and more are allocated from one reserved address range of huge
// pages, which avoids the L2 set conflicts and TLB misses of scattered small pages for weights and tiles of about 0.5
// MB (docs/performance.md, 17). A freed block is merged with its free neighbours, and an allocation splits the
// first free block that fits, so a training step takes the memory of its peak and no more (docs/performance.md, 24,
// 33). Thread-safe.
#pragma once
#include <cstddef>
#include <functional>

namespace morphmlp {

// `bytes` aligned to 64, or nullptr if the system is out of memory. Untouched pages take no memory.
void* arena_allocate(size_t bytes);

// Frees a block; `bytes` must equal that of arena_allocate. The arena caches its memory for later blocks.
void arena_release(void* data, size_t bytes);

bool in_arena(const void* data);

size_t arena_cached();  // bytes of free blocks that hold memory
void arena_trim();      // returns that memory to the system
void for_each_free_block(const std::function<void(void* data, size_t bytes)>& body);

}  // namespace morphmlp
