// Philox4x32-10, the counter-based generator of Salmon et al. (SC 2011), by the scheme of src/core/generator.ts:
// element i of a draw is word i mod 4 of counter (offset / 4 + i / 4), key = seed. Compiled for each instruction set in
// a namespace of its own, and for the GPU.
#pragma once
#include <cstdint>

#include "ops/both.h"

namespace morphmlp::MORPHMLP_ISA {

struct PhiloxBlock {
  uint32_t word[4];
};

MORPHMLP_BOTH inline PhiloxBlock philox(uint64_t seed, uint64_t counter) {
  uint32_t c[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c[0], p1 = uint64_t{0xCD9E8D57} * c[2];
    const uint32_t next[4] = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
                              static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    for (int i = 0; i < 4; ++i) c[i] = next[i];
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c[0], c[1], c[2], c[3]}};
}

// A word as a number uniform in [0, 1), with 24 bits.
MORPHMLP_BOTH inline float philox_uniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// 64 bits out of two words, the low one first.
MORPHMLP_BOTH inline uint64_t philox_joined(const int32_t* words) {
  return static_cast<uint32_t>(words[0]) | uint64_t{static_cast<uint32_t>(words[1])} << 32;
}

// First word of a draw, counted from the value at `start` if there is one.
template <class Draw>
MORPHMLP_BOTH uint64_t philox_seed(const Draw& p) {
  return static_cast<uint64_t>(p.seed) + (p.start ? philox_joined(p.start) : 0);
}
template <class Draw>
MORPHMLP_BOTH uint64_t philox_offset(const Draw& p) {
  return static_cast<uint64_t>(p.offset) + (p.start ? philox_joined(p.start + 2) : 0);
}

}  // namespace morphmlp::MORPHMLP_ISA
