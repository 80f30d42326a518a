#include "ops/accumulate.h"

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void accumulate_forward(const AccumulateForwardOf<T>& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, auto get, auto put) {
      put(p.into + begin + i, add(get(p.into + begin + i), get(p.from + begin + i)));
    });
  });
}
FOR_FLOATS(accumulate_forward, AccumulateForward)

template <class T>
void accumulate_copy(const AccumulateCopyOf<T>& p) {
  for_blocks(p.n, kElementBlock,
             [&](int64_t begin, int64_t end) { copy_row(p.into + begin, p.from + begin, end - begin); });
}
FOR_FLOATS(accumulate_copy, AccumulateCopy)

}  // namespace morphmlp::MORPHMLP_ISA
