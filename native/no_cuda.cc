// Stands in for the CUDA backend in a build without it.
#include <string>

#include "kernels/kernels.h"

namespace morphmlp {

const Kernels* cuda_kernels(std::string* reason) {
  *reason = "this build has no CUDA backend";
  return nullptr;
}

}  // namespace morphmlp
