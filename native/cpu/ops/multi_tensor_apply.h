// Multi-tensor apply: one parallel loop over the blocks of many tensors, so that hundreds of small tensors cost no more
// than a large one.
#pragma once
#include <vector>

#include "cpu/blocks.h"

namespace morphmlp {

struct TensorBlock {
  size_t tensor;
  int64_t begin, end;
};

inline std::vector<TensorBlock> tensor_blocks(const std::vector<int64_t>& lengths) {
  std::vector<TensorBlock> blocks;
  for (size_t t = 0; t < lengths.size(); ++t)
    for (int64_t begin = 0; begin < lengths[t]; begin += kElementBlock)
      blocks.push_back({t, begin, std::min(lengths[t], begin + kElementBlock)});
  return blocks;
}

// Calls body(block, index) for all blocks, four per task.
template <class F>
void for_tensor_blocks(const std::vector<TensorBlock>& blocks, F&& body) {
  const int64_t count = static_cast<int64_t>(blocks.size());
  for_blocks(count, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(blocks[static_cast<size_t>(i)], i);
  });
}

}  // namespace morphmlp
