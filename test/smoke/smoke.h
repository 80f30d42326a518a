// The smoke test of the CUDA kernels: cases that launch kernels of native/cuda at ragged sizes and compare all results
// with a float64 oracle on the host. main.cc runs each case in a process of its own. The same sources run on a GPU
// (tools/build/smoke.cjs) and, compiled with MORPHMLP_CUDA_EMULATED, in the emulation (CMake's target `emulated`).
#pragma once
#include <string>
#include <vector>

namespace morphmlp::smoke {

// Result of a case. `error` and `limit` are those of the comparison that is closest to its limit, or furthest beyond:
// the largest difference, as a fraction of the largest expected value. NaN counts as infinite.
struct Figures {
  double error = 0, limit = 0;
  double ms = 0;     // time of the second launch
  std::string what;  // what was compared
};

struct Case {
  const char* name;
  Figures (*run)();
};

// In the order in which they build on each other.
std::vector<Case> cases();

// Cases that are wrong, hang or crash on purpose, to test the test. They run only by name.
std::vector<Case> planted_cases();

}  // namespace morphmlp::smoke
