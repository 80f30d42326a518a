// The FC ops by the matrix product of a BLAS library, where one is on this machine (none is linked): what kernels are
// ranked beside. The morph permutations are copies before and after the product, as a framework would make them.
#pragma once
#include <string>
#include <vector>

#include "morphmlp_kernel.h"

namespace morphmlp {

// Names of the libraries that were found: MKL, OpenBLAS, BLIS, and the one that MORPHMLP_BLAS names.
std::vector<std::string> blas_libraries();

// The kernel of an op by a library of that list; nullptr for an op that is no FC.
const morphmlp_kernel* blas_kernel(const std::string& op, const std::string& library);

}  // namespace morphmlp
