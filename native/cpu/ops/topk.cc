#include "ops/topk.h"

#include "cpu/rows.h"
#include "ops/topk_column.h"

namespace morphmlp::MORPHMLP_ISA {

void topk_index(const TopkIndex& p) {
  const int64_t columns = std::max<int64_t>(1, kElementBlock / std::max<int64_t>(1, p.n * p.k));
  for_blocks(p.outer * p.inner, columns, [&](int64_t begin, int64_t end) {
    for (int64_t column = begin; column < end; ++column) topk_column(p, column);
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
