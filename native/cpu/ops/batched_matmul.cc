#include "ops/batched_matmul.h"

#include <vector>

#include "cpu/blocks.h"
#include "cpu/gemm/gemm.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// to[columns][rows] = from[rows][columns] transposed.
void transpose(const float* from, int64_t rows, int64_t columns, float* to) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

}  // namespace

void batched_matmul_forward(const BatchedMatmulForward& p) {
  const auto [batch, m, n, k] = std::tuple(p.batch, p.m, p.n, p.k);
  if (m == 0 || n == 0) return;
  parallel_for(batch, [&, m = m, n = n, k = k](int64_t i) {
    const float *a = p.a + i * m * k, *b = p.b + i * k * n;
    std::vector<float> rows, packed(static_cast<size_t>(packed_weight_size(n, k)));
    if (p.transpose_a) {
      rows.resize(static_cast<size_t>(m * k));
      transpose(a, k, m, rows.data());
      a = rows.data();
    }
    pack_weight(b, n, k, p.transpose_b ? k : 1, p.transpose_b ? 1 : n, packed.data());
    gemm_block(m, n, k, a, k, packed.data(), p.y + i * m * n, n, false);
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
