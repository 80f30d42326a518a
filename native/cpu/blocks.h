// Splits n elements into blocks of a fixed size for parallel_for. The blocks depend on n alone, so sums over blocks
// have the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "runtime/threads.h"

namespace morphmlp {

constexpr int64_t kElementBlock =
    1 << 15;  // 128 KiB of f32: a few µs of streaming, well above the cost of scheduling a task

inline int64_t blocks_of(int64_t n, int64_t block) { return (n + block - 1) / block; }

// Calls body(begin, end) for every block of `n` elements.
template <class F>
void for_blocks(int64_t n, int64_t block, F&& body) {
  parallel_for(blocks_of(n, block), [&](int64_t i) { body(i * block, std::min(n, (i + 1) * block)); });
}

}  // namespace morphmlp
