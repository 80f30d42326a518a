#include "ops/cumsum.h"

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void cumsum_forward(const CumsumForwardOf<T>& p) {
  const int64_t columns = std::max<int64_t>(1, kElementBlock / std::max<int64_t>(1, p.n));
  for_blocks(p.outer * p.inner, columns, [&](int64_t begin, int64_t end) {
    for (int64_t column = begin; column < end; ++column) {
      const int64_t first = column / p.inner * p.n * p.inner + column % p.inner;
      double sum = 0;
      for (int64_t j = 0; j < p.n; ++j) {
        const int64_t at = first + (p.reverse ? p.n - 1 - j : j) * p.inner;
        sum += to_float(p.x[at]);
        assign(p.y + at, static_cast<float>(sum));
      }
    }
  });
}
FOR_FLOATS(cumsum_forward, CumsumForward)

}  // namespace morphmlp::MORPHMLP_ISA
