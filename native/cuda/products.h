// Who computes products of matrices that lie dense in memory: our kernels, or what the environment variable
// MORPHMLP_GEMM asks for. cuda::products_by and use_products of runtime/cuda.h are the same for callers.
#pragma once

namespace morphmlp::cuda {

enum class Products { own, cublas_lt };

// Throws where MORPHMLP_GEMM asks for what is not there.
Products products();

}  // namespace morphmlp::cuda
