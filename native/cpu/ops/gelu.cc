#include "ops/gelu.h"

#include "cpu/rows.h"
#include "cpu/simd/vmath.h"

namespace morphmlp::MORPHMLP_ISA {

void gelu_forward(const GeluForward& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, auto get, auto put) { put(p.y + begin + i, gelu(get(p.x + begin + i))); });
  });
}

void gelu_backward(const GeluBackward& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for_lanes(end - begin, [&](int64_t i, auto get, auto put) {
      put(p.dx + begin + i, mul(get(p.dy + begin + i), gelu_grad(get(p.x + begin + i))));
    });
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
