// cuBLASLt, where it is on this machine: found when it is first asked for, never linked.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace morphmlp::cuda {

// "cuBLASLt 13.0.2 (libcublasLt.so.13)", or why it is not there.
std::string cublas_lt_name();
bool has_cublas_lt();

// c[m, n] = op(a) op(b) in f32 (no TF32), row-major and dense, on our stream; throws what cuBLASLt says. The
// algorithm is the first of its heuristic, chosen once for each shape; it may use `workspace`.
void cublas_lt_product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c,
                       void* workspace, size_t workspace_bytes);

}  // namespace morphmlp::cuda
