#include "ops/cast.h"

#include <cstring>

#include "cpu/blocks.h"
#include "cpu/isa.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

uint16_t rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, nan = bits >> 16 | 0x40;
  return static_cast<uint16_t>(value == value ? nearest : nan);
}

float widened(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

}  // namespace

void cast_to_bf16(const CastToBf16& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.y[i].bits = rounded(p.x[i]);
  });
}

void cast_to_f32(const CastToF32& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.y[i] = widened(p.x[i]);
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
