// Who computes products: our kernels, or what the environment variable MORPHMLP_GEMM asks for: a library, where
// matrices lie dense in memory, or those of our kernels that Hopper alone has. And by what our kernels compute
// those of f32: MORPHMLP_F32. cuda::products_by, use_products and use_f32 of runtime/cuda.h are the same for callers.
#pragma once
#include <string>

namespace morphmlp::cuda {

enum class Products { own, wgmma, cublas_lt };

// Why this device has no wgmma and TMA (sm_90a), or "".
std::string hopper_lacks();

// Throws where MORPHMLP_GEMM asks for what is not there.
Products products();

// wgmma_products of runtime/cuda.h is how many there were.
void count_wgmma_product();

// FFMA units, or three products of TF32 on the tensor cores.
enum class F32By { ffma, tf32x3 };

// Throws where MORPHMLP_F32 asks for what is not known.
F32By f32_by();

}  // namespace morphmlp::cuda
