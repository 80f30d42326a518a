// Chooses and launches HopperGemm: a product runs on wgmma where that backend is selected (gemm_backend.h) and TMA can
// read both operands, which must be dense in memory. f32 weights are rounded into a padded bf16 copy first.
#pragma once
#include <algorithm>
#include <optional>

#include "cuda/epilogue/loads.h"
#include "cuda/gemm/gemm_backend.h"
#include "cuda/gemm/hopper_gemm.h"
#include "cuda/gemm/layouts.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

// Whether operand.matrix.tokens, a Dense<T>, is the matrix row by row.
template <class Operand>
constexpr bool kIsDense = false;
template <class T>
constexpr bool kIsDense<ByRow<Gather<PlainLayout, Dense<T>>>> = true;
template <class T>
constexpr bool kIsDense<ByColumn<Gather<PlainLayout, Dense<T>>>> = true;

// Rounds f32 rows of `columns` values into bf16 rows that lie `leading` values apart.
struct RoundRows {
  const float* from;
  Bf16* to;
  Divisor columns;
  int64_t leading;

  __device__ void operator()(int64_t i) const {
    const int row = columns.quotient(static_cast<int>(i));
    store(to + row * leading + columns.remainder(static_cast<int>(i), row), from[i]);
  }
};

// A dense operand as TMA reads it: bf16 in place, or an f32 one as a rounded copy in rows of whole 16 bytes. The copy
// lives as long as this.
template <int kWidth, class Operand>
class HopperOperand {
 public:
  static constexpr bool kTransposed = kIsByColumn<Operand>;
  using Type = TmaOperand<kTransposed, kWidth>;

  HopperOperand(const Operand& operand, int64_t k)
      : rows_(kTransposed ? k : operand.size), columns_(kTransposed ? operand.size : k) {
    const auto& tokens = operand.matrix.tokens;
    if constexpr (kIsBf16) {
      data_ = tokens.x;
      leading_ = tokens.channels;
    } else {
      leading_ = blocks_of(tokens.channels, 8) * 8;
      data_ = copy_.emplace(rows_ * leading_).data();
      launch_each(as_int(rows_ * tokens.channels),
                  RoundRows{tokens.x, copy_->data(), Divisor(tokens.channels), leading_});
    }
  }

  Type operand() const { return {tensor_map(data_, rows_, columns_, leading_, Type::Tile::kBoxRows)}; }

  // Whether TMA can read it: rows must begin at multiples of 16 bytes.
  static bool readable(const Operand& operand) {
    const auto& tokens = operand.matrix.tokens;
    return !kIsBf16 || (tokens.channels % 8 == 0 && reinterpret_cast<uintptr_t>(tokens.x) % 16 == 0);
  }

 private:
  using Tokens = std::decay_t<decltype(std::declval<Operand>().matrix.tokens)>;
  static constexpr bool kIsBf16 = std::is_same_v<Tokens, Dense<Bf16>>;

  int64_t rows_, columns_, leading_;
  const Bf16* data_;
  std::optional<Workspace<Bf16>> copy_;
};

template <class A, class B>
bool hopper_takes([[maybe_unused]] const A& a, [[maybe_unused]] const B& b, [[maybe_unused]] int64_t k) {
  if constexpr (kIsDense<A> && kIsDense<B>)
    return k > 0 && gemm_backend() == GemmBackend::wgmma && HopperOperand<HopperTile::kM, A>::readable(a) &&
           HopperOperand<HopperTile::kM, B>::readable(b);
  return false;
}

// The tile width, of 224, 168 and 112, that covers n with the fewest empty columns; the widest of equals.
inline int hopper_width(int n) {
  int best = 224;
  const auto covered = [n](int width) { return blocks_of(n, width) * width; };
  for (const int width : {168, 112})
    if (covered(width) < covered(best)) best = width;
  return best;
}

// Persistent blocks: as many as the GPU runs at once. No result depends on which block computes a tile.
inline int64_t hopper_blocks(int64_t tiles, int64_t parts) {
  static const int64_t at_once = device_facts().multiprocessors;
  return std::clamp<int64_t>(at_once / parts, 1, tiles);
}

template <int kWidth, class A, class B, class Out>
void launch_hopper(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  using Left = HopperOperand<HopperTile::kM, A>;
  using Right = HopperOperand<kWidth, B>;
  const Left left(a, k);
  const Right right(b, k);
  const int64_t tiles_n = blocks_of(b.size, kWidth), tiles = blocks_of(a.size, HopperTile::kM) * tiles_n;
  const int64_t part = blocks_of(blocks_of(k, parts), HopperTile::kK) * HopperTile::kK;
  launch({hopper_blocks(tiles, parts), 1, parts}, HopperGemm<typename Left::Type, typename Right::Type, kWidth, Out>{
                                                      left.operand(), right.operand(), out, a.size, b.size, as_int(k),
                                                      as_int(part), as_int(tiles), Divisor(tiles_n)});
  count_wgmma_launch();
}

// out = a b; arguments as of `multiply`.
template <class A, class B, class Out>
void multiply_on_hopper(const A& a, const B& b, int64_t k, const Out& out, int64_t parts) {
  const int width = hopper_width(b.size);
  if (width == 224) return launch_hopper<224>(a, b, k, out, parts);
  if (width == 168) return launch_hopper<168>(a, b, k, out, parts);
  launch_hopper<112>(a, b, k, out, parts);
}

}  // namespace morphmlp::cuda
