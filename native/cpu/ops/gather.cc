#include "ops/gather.h"

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// Calls body(o, i) for every column.
template <class P, class F>
void for_columns(const P& p, F&& body) {
  const int64_t columns = std::max<int64_t>(1, kElementBlock / std::max<int64_t>(1, p.n + p.taken));
  for_blocks(p.outer * p.inner, columns, [&](int64_t begin, int64_t end) {
    for (int64_t column = begin; column < end; ++column) body(column / p.inner, column % p.inner);
  });
}

}  // namespace

void gather_forward(const GatherForward& p) {
  for_columns(p, [&](int64_t o, int64_t i) {
    for (int64_t j = 0; j < p.taken; ++j) {
      const int64_t at = (o * p.taken + j) * p.inner + i;
      p.y[at] = p.x[(o * p.n + p.index[at]) * p.inner + i];
    }
  });
}

void gather_backward(const GatherBackward& p) {
  for_columns(p, [&](int64_t o, int64_t i) {
    for (int64_t j = 0; j < p.n; ++j) p.dx[(o * p.n + j) * p.inner + i] = 0;
    for (int64_t j = 0; j < p.taken; ++j) {
      const int64_t at = (o * p.taken + j) * p.inner + i;
      p.dx[(o * p.n + p.index[at]) * p.inner + i] += p.dy[at];
    }
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
