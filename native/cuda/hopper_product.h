// The product by TMA and wgmma (hopper_gemm.h) in place of that by mma.sync: of bf16, where it was asked for
// (products.h) and TMA can read both operands. That is what lies dense in rows of a multiple of 16 bytes: not the
// widths of 84 and 588 of image T by rows. Weights are rounded into a copy first, as for a library.
#pragma once
#include <algorithm>

#include "cuda/hopper_gemm.h"
#include "cuda/library_product.h"

namespace morphmlp::cuda {

// Elements of an operand as they lie in memory, and whether TMA can read them.
template <class Operand>
bool tma_reads(const Operand& operand) {
  const auto& tokens = operand.matrix.tokens;
  constexpr bool kCopied = !std::is_same_v<std::decay_t<decltype(*tokens.x)>, Bf16>;  // into memory of our own
  return tokens.channels % 8 == 0 && (kCopied || reinterpret_cast<uintptr_t>(tokens.x) % 16 == 0);
}

template <class A, class B>
bool hopper_takes(const A& a, const B& b, int64_t k) {
  return k > 0 && products() == Products::wgmma && tma_reads(a) && tma_reads(b);
}

// Of the tile's widths the one that leaves the fewest columns empty; of several the widest.
inline int hopper_width(int n) {
  int best = 224;
  const auto covered = [n](int width) { return blocks_of(n, width) * width; };
  for (const int width : {168, 112})
    if (covered(width) < covered(best)) best = width;
  return best;
}

template <int kWidth, class Operand>
TensorMap map_of(const LibraryOperand<Bf16, Operand>& data, const Operand& operand, int64_t k) {
  using Tile = HopperOperand<kIsByColumn<Operand>, kWidth>;
  const bool turned = kIsByColumn<Operand>;
  const int64_t rows = turned ? k : operand.size, columns = turned ? operand.size : k;
  return tensor_map(data.data(), rows, columns, operand.matrix.tokens.channels, Tile::kBoxRows);
}

// As many blocks as the GPU runs at once take turns at the tiles; which block makes which changes no bit.
inline int64_t hopper_blocks(int64_t tiles, int64_t parts) {
  static const int64_t at_once = device_facts().multiprocessors;
  return std::clamp<int64_t>(at_once / parts, 1, tiles);
}

template <int kWidth, class A, class B, class Out>
void launch_hopper(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  const LibraryOperand<Bf16, A> left(a, k);
  const LibraryOperand<Bf16, B> right(b, k);
  const int64_t tiles_n = blocks_of(b.size, kWidth), tiles = blocks_of(a.size, HopperTile::kM) * tiles_n;
  const int64_t part = blocks_of(blocks_of(k, parts), HopperTile::kK) * HopperTile::kK;
  using Kernel = HopperGemm<kIsByColumn<A>, kIsByColumn<B>, kWidth, Out>;
  launch({hopper_blocks(tiles, parts), 1, parts},
         Kernel{map_of<HopperTile::kM>(left, a, k), map_of<kWidth>(right, b, k), out, a.size, b.size, as_int(k),
                as_int(part), as_int(tiles), Divisor(tiles_n)});
}

// out = a b, or as `multiply` has it the parts of it.
template <class A, class B, class Out>
void multiply_on_hopper(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  const int width = hopper_width(b.size);
  if (width == 224) return launch_hopper<224>(a, b, k, out, parts);
  if (width == 168) return launch_hopper<168>(a, b, k, out, parts);
  launch_hopper<112>(a, b, k, out, parts);
}

}  // namespace morphmlp::cuda
