// cuBLASLt, where it is on this machine: found when it is first asked for, never linked.
#pragma once
#include <cstdint>
#include <string>

namespace morphmlp::cuda {

// "cuBLASLt 13.0.2 (libcublasLt.so.13)", or why it is not there.
std::string cublas_lt_name();
bool has_cublas_lt();

enum class LtType { f32, bf16 };

// Row-major, a row every `leading` numbers. What multiplies is the matrix, or its transpose.
struct LtMatrix {
  const void* data;
  bool transposed;
  int64_t leading;
};

// c[m, n] = op(a) op(b), both of the type of `operands`; c is dense.
struct LtProduct {
  LtMatrix a, b;
  void* c;
  int64_t m, n, k;
  LtType operands, result;
};

// Computes it on our stream, sums in f32 (of f32 no TF32 is made); throws what cuBLASLt says. The algorithm is the
// first of its heuristic, chosen once for each shape and alignment; it may use 32 MB of device memory.
void cublas_lt_product(const LtProduct& p);

}  // namespace morphmlp::cuda
