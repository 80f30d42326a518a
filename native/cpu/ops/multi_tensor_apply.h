// One parallel loop over many tensors: they are laid end to end and cut into blocks, so that hundreds of small ones
// cost no more than a large one.
#pragma once
#include <vector>

#include "cpu/blocks.h"

namespace morphmlp {

struct Piece {
  size_t tensor;
  int64_t begin, end;
};

inline std::vector<Piece> pieces_of(const std::vector<int64_t>& lengths) {
  std::vector<Piece> pieces;
  for (size_t t = 0; t < lengths.size(); ++t)
    for (int64_t begin = 0; begin < lengths[t]; begin += kElementBlock)
      pieces.push_back({t, begin, std::min(lengths[t], begin + kElementBlock)});
  return pieces;
}

// body(piece, index) for all pieces; a task takes four of them.
template <class F>
void for_pieces(const std::vector<Piece>& pieces, F&& body) {
  const int64_t count = static_cast<int64_t>(pieces.size());
  for_blocks(count, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(pieces[static_cast<size_t>(i)], i);
  });
}

}  // namespace morphmlp
