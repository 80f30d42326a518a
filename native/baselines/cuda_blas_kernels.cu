// FC ops by cuBLASLt as plugins: the baseline of our kernels in benchmarks.
#include <string>

#include "baselines/cublaslt/cublaslt_gemm.h"
#include "cuda/each_on_device.h"
#include "cuda/epilogue/column_sums.h"
#define MORPHMLP_FC_BY_GEMM fc_by_cublaslt
#include "baselines/fc_by_gemm.h"

namespace morphmlp {
namespace {

struct SumRows {
  static constexpr int kSums = 1;
  int64_t n;
  const float* dy;
  float* dbias;

  __device__ void add(int, int64_t row, int column, float (&sum)[1]) const { sum[0] += dy[row * n + column]; }
  __device__ void finish(int, int column, const double (&sum)[1]) const { dbias[column] = static_cast<float>(sum[0]); }
};

}  // namespace

namespace fc_by_cublaslt {

int32_t gemm(const morphmlp_call*, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, const float* b,
             float* c) {
  using cuda::LtType;
  cuda::cublas_lt_product({{a, ta, ta ? m : k}, {b, tb, tb ? k : n}, c, m, n, k, LtType::f32, LtType::f32});
  return MORPHMLP_OK;
}

int32_t sum_rows(const morphmlp_call*, int64_t rows, int64_t n, const float* dy, float* dbias) {
  cuda::column_sums(1, rows, n, SumRows{n, dy, dbias});
  return MORPHMLP_OK;
}

}  // namespace fc_by_cublaslt

namespace cuda {

std::string blas_library() { return cublas_lt_name(); }

const morphmlp_kernel* blas_kernel(const std::string& op) {
  using namespace fc_by_cublaslt;
  static const std::string flags = cublas_lt_name();
  const auto kernel = [](const char* name, auto workspace, auto forward, auto backward) {
    return morphmlp_kernel{MORPHMLP_KERNEL_ABI,
                           MORPHMLP_CUDA,
                           name,
                           "cuBLASLt",
                           flags.c_str(),
                           workspace,
                           forward,
                           backward,
                           0,
                           nullptr,
                           0};
  };
  static const morphmlp_kernel kernels[] = {
      kernel("linear", nullptr, linear_forward, linear_backward),
      kernel("morph_fc", workspace<MorphRows>, gathered_forward<MorphRows>, gathered_backward<MorphRows>),
      kernel("temporal_fc", workspace<TemporalRows>, gathered_forward<TemporalRows>, gathered_backward<TemporalRows>)};
  if (!has_cublas_lt()) return nullptr;
  for (const morphmlp_kernel& one : kernels)
    if (op == one.op) return &one;
  return nullptr;
}

}  // namespace cuda
}  // namespace morphmlp
