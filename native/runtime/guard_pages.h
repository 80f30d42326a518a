// Memory for finding kernels that leave their tensors: each block ends where the pages that may be touched end (but for
// the alignment to 64 bytes), pages that may not be touched lie on both sides, and what is left over holds a pattern.
// So reading or writing far outside is a segmentation fault, writing just outside is found, and reading just outside
// gives NaN.
#pragma once
#include <cstddef>
#include <string>

namespace morphmlp {

void set_guarding(bool on);  // from now on; blocks know how they were made
bool guarding();

void* guarded_allocate(size_t bytes);  // nullptr where the system has no memory
bool guarded_release(void* data);      // false for a block that was not made here

// "wrote before" or "wrote behind" a block that was; empty for one that is whole, or was not made here.
std::string guarded_damage(const void* data);

}  // namespace morphmlp
