// Baseline: the FC ops by the GEMM of a BLAS library found on this machine at run time (none is linked), with gather
// and scatter as separate copies.
#pragma once
#include <string>
#include <vector>

#include "morphmlp_kernel.h"

namespace morphmlp {

// Names of the libraries found: MKL, OpenBLAS, BLIS, and that of MORPHMLP_BLAS.
std::vector<std::string> blas_libraries();

// The kernel of an op by one of these libraries; nullptr unless the op is an FC.
const morphmlp_kernel* blas_kernel(const std::string& op, const std::string& library);

}  // namespace morphmlp
