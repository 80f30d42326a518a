#include "ops/gelu.h"

#include "cpu/rows.h"
#include "cpu/simd/vmath.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void gelu_forward(const GeluForwardOf<T>& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin,
              [&](int64_t i, auto get, auto put) { put(p.y + begin + i, gelu_of<T>(get(p.x + begin + i))); });
  });
}
FOR_FLOATS(gelu_forward, GeluForward)

template <class T>
void gelu_backward(const GeluBackwardOf<T>& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, auto get, auto put) {
      put(p.dx + begin + i, mul(get(p.dy + begin + i), gelu_grad(get(p.x + begin + i))));
    });
  });
}
FOR_FLOATS(gelu_backward, GeluBackward)

}  // namespace morphmlp::MORPHMLP_ISA
