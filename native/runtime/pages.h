// Memory for blocks that kernels stream through. A block of 64 KiB and more lies in huge pages together with its
// neighbours: weights and tiles of half a megabyte then neither collide in L2, as scattered small pages do, nor cost
// a walk of the page tables each few rows (docs/performance.md, 17). Thread safe.
#pragma once
#include <cstddef>

namespace morphmlp {

// `bytes` aligned to 64, or nullptr where the system has no more. What is never touched takes no memory.
void* take_pages(size_t bytes);

// Gives a block back, `bytes` as it was taken: its memory returns to the system now, its place with the last block
// beside it.
void give_pages(void* data, size_t bytes);

}  // namespace morphmlp
