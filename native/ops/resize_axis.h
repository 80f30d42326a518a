// Where a resize reads along one axis, as PyTorch's interpolate does with align_corners=false, in whole numbers: an
// output at `at` lies at (at + 1/2) in / out - 1/2 of the input.
#pragma once
#include <cstdint>

#include "ops/both.h"

namespace morphmlp::MORPHMLP_ISA {

// The value is (1 - weight) * x[from] + weight * x[to].
struct ResizeTap {
  int64_t from, to;
  float weight;

  // Weight of input i.
  MORPHMLP_BOTH float of(int64_t i) const {
    if (i == from) return from == to ? 1.0f : 1.0f - weight;
    return i == to ? weight : 0.0f;
  }
};

// The outputs that read an input.
struct ResizeSpan {
  int64_t begin, end;
};

struct ResizeAxis {
  int64_t in, out;
  bool nearest;

  MORPHMLP_BOTH ResizeTap tap(int64_t at) const {
    if (nearest) return {at * in / out, at * in / out, 0.0f};
    const int64_t place = (2 * at + 1) * in - out;  // in units of 1 / (2 out)
    if (place <= 0) return {0, 0, 0.0f};
    const int64_t from = place / (2 * out);
    if (from >= in - 1) return {in - 1, in - 1, 0.0f};
    return {from, from + 1,
            static_cast<float>(static_cast<double>(place - from * 2 * out) / static_cast<double>(2 * out))};
  }

  MORPHMLP_BOTH ResizeSpan span(int64_t i) const {
    if (nearest) return {(i * out + in - 1) / in, ((i + 1) * out + in - 1) / in};
    const int64_t after = (2 * i - 1) * out, before = (2 * i + 3) * out;
    const int64_t begin = i == 0 || after < in ? 0 : (after - in) / (2 * in) + 1;
    const int64_t end = i == in - 1 || before <= in ? out : (before + in - 1) / (2 * in);
    return {begin, end < out ? end : out};
  }
};

}  // namespace morphmlp::MORPHMLP_ISA
