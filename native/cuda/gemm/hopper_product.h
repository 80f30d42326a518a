// The product by wgmma (hopper_gemm.h) in place of that by mma.sync: of bf16, where it was asked for (products.h). TMA
// brings what lies dense in rows of a multiple of 16 bytes, weights as a copy that is rounded and padded to that, as
// for a library; threads bring the rest, where eight numbers may be read at once.
#pragma once
#include <algorithm>

#include "cuda/gemm/hopper_gemm.h"
#include "cuda/gemm/cublaslt_gemm.h"

namespace morphmlp::cuda {

// Whether an operand is TMA's: one that has `tokens` dense in memory, row by row.
template <class Operand>
constexpr bool kForTma = kLiesDense<Operand>;

// Whether it can be brought at all. No piece of eight numbers may be cut off by an end of its rows.
template <class Operand>
bool hopper_reads(const Operand& operand, [[maybe_unused]] int64_t k) {
  if constexpr (kForTma<Operand>) {
    const auto& tokens = operand.matrix.tokens;
    constexpr bool kRounded = !std::is_same_v<std::decay_t<decltype(*tokens.x)>, Bf16>;  // into memory of our own
    return kRounded || (tokens.channels % 8 == 0 && reinterpret_cast<uintptr_t>(tokens.x) % 16 == 0);
  } else {
    return operand.run >= 8 && (kIsByColumn<Operand> ? operand.size : k) % 8 == 0;
  }
}

template <class A, class B>
bool hopper_takes(const A& a, const B& b, int64_t k) {
  return k > 0 && products() == Products::wgmma && hopper_reads(a, k) && hopper_reads(b, k);
}

// What the kernel is given of an operand, for as long as this lives.
template <int kWidth, int kLoaders, class Operand, bool kTma = kForTma<Operand>>
struct HopperOperand {
  using Type = ByThreads<Operand, kWidth, kLoaders>;

  HopperOperand(const Operand& operand, int64_t) : given{operand} {}

  Type given;
};

template <int kWidth, int kLoaders, class Operand>
struct HopperOperand<kWidth, kLoaders, Operand, true> {
  static constexpr bool kTurned = kIsByColumn<Operand>;
  using Type = ByTma<kTurned, kWidth>;

  HopperOperand(const Operand& operand, int64_t k)
      : data(operand, k),
        given{tensor_map(data.data(), kTurned ? k : operand.size, kTurned ? operand.size : k, data.leading(),
                         Type::Tile::kBoxRows)} {}

  LibraryOperand<Bf16, Operand> data;
  Type given;
};

// Of 224 and the others the width that leaves the fewest columns of tiles empty; of several the widest.
template <int... kOthers>
int hopper_width(int n) {
  int best = 224;
  const auto covered = [n](int width) { return blocks_of(n, width) * width; };
  for (const int width : {kOthers...})
    if (covered(width) < covered(best)) best = width;
  return best;
}

// As many blocks as the GPU runs at once take turns at the tiles; which block makes which changes no bit.
inline int64_t hopper_blocks(int64_t tiles, int64_t parts) {
  static const int64_t at_once = device_facts().multiprocessors;
  return std::clamp<int64_t>(at_once / parts, 1, tiles);
}

template <int kWidth, class A, class B, class Out>
void launch_hopper(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  constexpr int kLoaders = HopperTile::loaders(kWidth);
  using Left = HopperOperand<HopperTile::kM, kLoaders, A>;
  using Right = HopperOperand<kWidth, kLoaders, B>;
  const Left left(a, k);
  const Right right(b, k);
  const int64_t tiles_n = blocks_of(b.size, kWidth), tiles = blocks_of(a.size, HopperTile::kM) * tiles_n;
  const int64_t part = blocks_of(blocks_of(k, parts), HopperTile::kK) * HopperTile::kK;
  launch({hopper_blocks(tiles, parts), 1, parts},
         HopperGemm<typename Left::Type, typename Right::Type, kWidth, Out>{
             left.given, right.given, out, a.size, b.size, as_int(k), as_int(part), as_int(tiles), Divisor(tiles_n)});
  count_wgmma_product();
}

// out = a b, or as `multiply` has it the parts of it. Where threads load there are fewer widths: each is a kernel, and
// of both operands of wide tiles they have no room for.
template <class A, class B, class Out>
void multiply_on_hopper(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  if constexpr (kForTma<B>) {
    const int width = kForTma<A> ? hopper_width<168, 112>(b.size) : hopper_width<112>(b.size);
    if (width == 224) return launch_hopper<224>(a, b, k, out, parts);
    if constexpr (kForTma<A>)
      if (width == 168) return launch_hopper<168>(a, b, k, out, parts);
  }
  launch_hopper<112>(a, b, k, out, parts);
}

}  // namespace morphmlp::cuda
