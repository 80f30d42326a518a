// The emulated device's memory may be touched while one of these lives.
#pragma once

namespace morphmlp::cuda {

struct OpenMemory {
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

}  // namespace morphmlp::cuda
