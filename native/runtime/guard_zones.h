// Guarded allocations on the device, like guard_pages.h on the host. Each block has a zone with a pattern on both
// sides: writes to a zone are detected, reads give NaN. Accesses further away are detected only if the address is
// unmapped.
#pragma once
#include <cstddef>
#include <string>

namespace morphmlp {

void* zoned_allocate(size_t bytes);  // filled with NaN
bool zoned_release(void* data);      // false if the block was not allocated here

// "wrote before" or "wrote behind" if a zone is damaged; empty if both are intact or the block was not allocated here.
// Synchronizes with the device, so errors of earlier kernels are thrown here.
std::string zoned_damage(const void* data);

}  // namespace morphmlp
