// One product of each kind with an epilogue that reads, for tools/check_cuda.cjs, which reads the order of its loads
// and stores. Never run.
#include "cuda/gemm/gemm.h"

namespace morphmlp::cuda {

template <class T>
using Rows = ByRow<Gather<PlainLayout, Dense<T>>>;
template <class T>
using Residual = Scatter<PlainLayout, ResidualEpilogue<T>>;

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, kBlocksOf<Kernel>) probe(const __grid_constant__ Kernel kernel) {
  if constexpr (kDynamicOf<Kernel>) {
    extern __shared__ unsigned char dynamic_shared[];
    kernel(*reinterpret_cast<typename Kernel::Shared*>(dynamic_shared));
  } else {
    __shared__ typename Kernel::Shared shared;
    kernel(shared);
  }
}

template __global__ void probe(const __grid_constant__ FfmaGemm<Rows<float>, Rows<float>, Residual<float>>);
template __global__ void probe(const __grid_constant__ MmaGemm<MmaBf16, Rows<Bf16>, Rows<float>, Residual<Bf16>>);
template __global__ void probe(
    const __grid_constant__ HopperGemm<TmaOperand<false, HopperTile::kM>, TmaOperand<true, 112>, 112, Residual<Bf16>>);

}  // namespace morphmlp::cuda
