#include "ops/max.h"

#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// NaN is greater than any number, and the first NaN wins.
bool is_above(float value, float best) { return value > best || (value != value && best == best); }

void forward_row(const float* x, int64_t n, int64_t inner, float* y, int32_t* index) {
  for (int64_t i = 0; i < inner; ++i) {
    y[i] = x[i];
    index[i] = 0;
  }
  for (int64_t j = 1; j < n; ++j)
    for (int64_t i = 0; i < inner; ++i)
      if (is_above(x[j * inner + i], y[i])) {
        y[i] = x[j * inner + i];
        index[i] = static_cast<int32_t>(j);
      }
}

// Calls body(o) for every slice of n * inner elements.
template <class F>
void for_rows(int64_t outer, int64_t n, int64_t inner, F&& body) {
  const int64_t rows = std::max<int64_t>(1, kElementBlock / std::max<int64_t>(1, n * inner));
  for_blocks(outer, rows, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) body(o);
  });
}

}  // namespace

void max_forward(const MaxForward& p) {
  for_rows(p.outer, p.n, p.inner, [&](int64_t o) {
    forward_row(p.x + o * p.n * p.inner, p.n, p.inner, p.y + o * p.inner, p.index + o * p.inner);
  });
}

void max_backward(const MaxBackward& p) {
  for_rows(p.outer, p.n, p.inner, [&](int64_t o) {
    float* dx = p.dx + o * p.n * p.inner;
    std::fill(dx, dx + p.n * p.inner, 0.0f);
    for (int64_t i = 0; i < p.inner; ++i) dx[p.index[o * p.inner + i] * p.inner + i] = p.dy[o * p.inner + i];
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
