#include "ops/non_finite.h"

#include <atomic>
#include <cmath>

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void non_finite_count(const NonFiniteCountOf<T>& p) {
  std::atomic<int64_t> total{0};
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    int64_t bad = 0;
    for (int64_t i = begin; i < end; ++i) bad += !(std::fabs(to_float(p.x[i])) <= 3.4028235e38f);
    total += bad;
  });
  p.found[0] = static_cast<float>(total.load());
}
FOR_FLOATS(non_finite_count, NonFiniteCount)

}  // namespace morphmlp::MORPHMLP_ISA
