// cuBLASLt as a baseline of benchmarks: loaded at the first use, never linked.
#pragma once
#include <cstdint>
#include <string>

namespace morphmlp::cuda {

// "cuBLASLt 13.0.2 (libcublasLt.so.13)", or why it is unavailable.
std::string cublas_lt_name();
bool has_cublas_lt();

enum class LtType { f32, bf16 };

// Row-major matrix, or its transpose; rows are `leading` values apart.
struct LtMatrix {
  const void* data;
  bool transposed;
  int64_t leading;
};

// c[m, n] = op(a) op(b), operands of one type; c is dense.
struct LtProduct {
  LtMatrix a, b;
  void* c;
  int64_t m, n, k;
  LtType operands, result;
};

// Computes it on our stream with f32 sums (no TF32); throws the error of cuBLASLt. The algorithm is the first of its
// heuristic, chosen once for each shape and alignment; it may use 32 MB of device memory.
void cublas_lt_product(const LtProduct& p);

}  // namespace morphmlp::cuda
