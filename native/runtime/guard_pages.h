// Guarded allocations, to find kernels that access memory outside their tensors. Each block ends at the end of its
// pages (up to the alignment to 64 bytes), has inaccessible pages on both sides, and a pattern in the unused bytes. Far
// accesses are segmentation faults, near writes are detected, and near reads give NaN.
#pragma once
#include <cstddef>
#include <string>

namespace morphmlp {

void enable_guards(bool on);  // for later allocations
bool guards_enabled();

void* guarded_allocate(size_t bytes);  // nullptr if the system is out of memory
bool guarded_release(void* data);      // false if the block was not allocated here

// "wrote before" or "wrote behind" if the pattern is damaged; empty if it is intact or the block was not allocated
// here.
std::string guarded_damage(const void* data);

}  // namespace morphmlp
