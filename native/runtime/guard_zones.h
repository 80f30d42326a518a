// Device memory for finding kernels that leave their tensors, as guarded.h is the host's: in front of each block and
// right behind its last byte lies a zone that holds a pattern. Writing there is found; reading gives NaN. What lies
// further off is found only where the device itself has nothing there.
#pragma once
#include <cstddef>
#include <string>

namespace morphmlp {

void* guarded_device_allocate(size_t bytes);  // all of it NaN
bool guarded_device_release(void* data);      // false for a block that was not made here

// "wrote before" or "wrote behind" a block that was; empty for one that is whole, or was not made here. Waits for the
// device, so what a kernel did wrong before is thrown here.
std::string guarded_device_damage(const void* data);

}  // namespace morphmlp
