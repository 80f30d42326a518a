// Creates TMA descriptors with the driver's cuTensorMapEncodeTiled, looked up at run time: the addon links to the CUDA
// runtime alone.
#include <cstring>

#include "cuda/gemm/gemm_backend.h"
#include "cuda/gemm/hopper/tensor_map.h"
#include "cuda/runtime/state.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

constexpr unsigned kSince = 12000;  // CUDA version of the entry point

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode find_encode() {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, kSince, cudaEnableDefault, &result);
  if (error != cudaSuccess) cudaGetLastError();
  return error == cudaSuccess && result == cudaDriverEntryPointSuccess ? reinterpret_cast<Encode>(found) : nullptr;
}

Encode encode() {
  static const Encode found = find_encode();
  return found;
}

}  // namespace

std::string wgmma_unavailable() {
  const DeviceFacts facts = device_facts();
  if (facts.architecture != "sm_90") return "it needs a GPU of sm_90, and " + facts.name + " is " + facts.architecture;
  if (compiled_for().find("sm_90a") == std::string::npos)
    return "this build has kernels for " + compiled_for() + " only";
  return encode() ? "" : "the driver has no cuTensorMapEncodeTiled: it is older than CUDA 12.0";
}

TensorMap tensor_map(const Bf16* data, int64_t rows, int64_t columns, int64_t leading, int box_rows) {
  if (!encode()) fail(wgmma_unavailable());
  TensorMap map;
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(leading) * sizeof(Bf16)};
  const cuuint32_t box[] = {kBoxColumns, static_cast<cuuint32_t>(box_rows)}, steps[] = {1, 1};
  const CUresult result = encode()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<Bf16*>(data), sizes, strides,
                                   box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) fail("cuTensorMapEncodeTiled: error " + std::to_string(result));
  return map;
}

}  // namespace morphmlp::cuda
