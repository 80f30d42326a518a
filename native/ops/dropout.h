// factor[i] = 0 with probability p, else 1 / (1 - p), by the random numbers of src/core/generator.ts: the factors of dropout (one
// an element) and of drop path (one a clip).
#pragma once
#include <cstdint>

namespace morphmlp {

constexpr int64_t kDrawStart = 4;  // a seed and an offset of 64 bits, low words first

struct DropoutFactors {
  int64_t n;
  float p;
  int64_t seed, offset;
  float* factor;
  const int32_t* start;  // kDrawStart words that seed and offset count from, for a replayed launch; or nullptr
};

// y = x * factor, with one factor for every `span` elements; dx = dy * factor is the same kernel.
template <class T>
struct DropoutApplyOf {
  int64_t n, span;
  const T* x;
  const float* factor;
  T* y;
};
using DropoutApply = DropoutApplyOf<float>;

}  // namespace morphmlp
