// Selects the instructions of bf16 products: mma.sync (sm_80 and later) or TMA with wgmma (sm_90a). The selection holds
// for the process; gemm_backend_name and use_gemm_backend of runtime/cuda.h expose it to callers.
#pragma once
#include <string>

namespace morphmlp::cuda {

// With wgmma, products whose operands TMA cannot read still run on mma.sync (hopper_launch.h).
enum class GemmBackend { mma, wgmma };

GemmBackend gemm_backend();

// Why this device or build cannot run wgmma and TMA, or "".
std::string wgmma_unavailable();

// Counts a launch for wgmma_launches of runtime/cuda.h.
void count_wgmma_launch();

}  // namespace morphmlp::cuda
