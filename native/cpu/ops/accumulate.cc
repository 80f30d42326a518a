#include "ops/accumulate.h"

#include <cstring>

#include "cpu/blocks.h"
#include "cpu/isa.h"

namespace morphmlp::MORPHMLP_ISA {

void accumulate_forward(const AccumulateForward& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) p.into[i] += p.from[i];
  });
}

void accumulate_copy(const AccumulateCopy& p) {
  for_blocks(p.n, kElementBlock, [&](int64_t begin, int64_t end) {
    std::memcpy(p.into + begin, p.from + begin, static_cast<size_t>(end - begin) * sizeof(float));
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
