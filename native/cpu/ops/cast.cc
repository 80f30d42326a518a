#include "ops/cast.h"

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
void cast_to_bf16(const CastToBf16& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) assign(p.y + i, p.x[i]);
  });
}

void cast_to_f32(const CastToF32& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.y[i] = to_float(p.x[i]);
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
