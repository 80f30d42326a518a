// Memory for blocks that kernels stream through. Blocks of 64 KiB and more lie side by side in one range of huge pages:
// weights and tiles of half a megabyte then neither collide in L2, as scattered small pages do, nor cost a walk of the
// page tables each few rows (docs/performance.md, 17). A block that is given back joins its free neighbours, and the
// smallest free piece that is large enough is cut for the next: so what a training step takes, whose blocks of all
// sizes come and go, is what it holds at its peak and no more (docs/performance.md, 24). Thread safe.
#pragma once
#include <cstddef>
#include <functional>

namespace morphmlp {

// `bytes` aligned to 64, or nullptr where the system has no more. What is never touched takes no memory.
void* take_pages(size_t bytes);

// Gives a block back, `bytes` as it was taken. In the shared range its memory is kept for the next block.
void give_pages(void* data, size_t bytes);

bool in_shared_pages(const void* data);

size_t free_pages();  // bytes of the shared range that are kept for reuse
void return_pages();  // returns them to the system
void for_each_free_piece(const std::function<void(void* data, size_t bytes)>& body);

}  // namespace morphmlp
