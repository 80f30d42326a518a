#include "ops/index_rows.h"

#include <cstring>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

void index_rows_forward(const IndexRowsForward& p) {
  for (int64_t i = 0; i < p.taken; ++i)
    std::memcpy(p.y + i * p.width, p.x + p.index[i] * p.width, static_cast<size_t>(p.width) * sizeof(float));
}

// Single-threaded: indices may repeat, and their gradients are summed in index order.
void index_rows_backward(const IndexRowsBackward& p) {
  std::fill(p.dx, p.dx + p.rows * p.width, 0.0f);
  for (int64_t i = 0; i < p.taken; ++i) add_row(p.dx + p.index[i] * p.width, p.dy + i * p.width, p.width);
}

}  // namespace morphmlp::MORPHMLP_ISA
