#include "ops/norm_temporal.h"

#include "cpu/gemm/chunk_block.h"
#include "cpu/gemm/packed_weight.h"
#include "cpu/ops/norm_rows.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kTokens, kRows, kProduct, kInner, kGradOut, kGradRows };

// Prefetch distance in positions. A chunk reads one stream per frame: more than the hardware prefetcher tracks.
constexpr int64_t kPrefetchDistance = 2;

MorphLayout layout_of(const TemporalFcShape& at) {
  return temporal_layout(at.clips, at.steps, at.positions, at.channels, at.groups);
}

// Chunks [first, last) of a block and its size.
struct Block {
  Block(const MorphLayout& at, int64_t chunks, int64_t index)
      : first(index * chunks),
        last(std::min(at.chunks, first + chunks)),
        tokens((last - first) * at.chunk_tokens),
        elements(tokens * at.channels) {}
  int64_t first, last, tokens, elements;
};

template <class T>
void forward_block(const NormTemporalForwardOf<T>& p, const MorphLayout& at, const Block& block,
                   const Operand<T>* weight, const Operand<T>* proj) {
  const int64_t c = at.channels;
  const MorphLayout local = block_layout(at, block.last - block.first);
  auto* tokens = scratch_of<Operand<T>>(kTokens, block.elements);
  float* out = scratch(kProduct, block.elements);
  for_block_tokens(at, block.first, block.last, [&](int64_t i, int64_t row) {
    prefetch_row(p.x + (row + kPrefetchDistance) * c, c);
    const RowStatistics s = row_statistics(p.x + row * c, c, p.eps);
    p.mean[row] = s.mean;
    p.rstd[row] = s.rstd;
    normalise_row(p.x + row * c, c, s, p.gamma, p.beta, tokens + i * c);
  });
  auto *u = scratch_of<Operand<T>>(kInner, block.elements), *rows = scratch_of<Operand<T>>(kRows, block.elements);
  multiply_rows(local, block_rows(local, tokens, rows), weight, p.bias, out, u);
  gemm_block(block.tokens, c, c, u, c, proj, out, c, false);
  for_block_tokens(at, block.first, block.last, [&](int64_t i, int64_t row) {
    prefetch_row<true>(p.y + (row + kPrefetchDistance) * c, c);
    if (p.u) prefetch_row<true>(p.u + (row + kPrefetchDistance) * c, c);
    if (p.u) copy_row(p.u + row * c, u + i * c, c);
    const T* x = p.x + row * c;
    const float* from = out + i * c;
    T* y = p.y + row * c;
    for_lanes(c, [&](int64_t j, auto get, auto put) {
      put(y + j, add(get(x + j), add(get(from + j), get(p.proj_bias + j))));
    });
  });
}

// Offsets of the gradients within the sums of a split.
struct Sums {
  explicit Sums(const MorphLayout& at)
      : dproj(0),
        dweight(at.channels * at.channels),
        dbias(dweight + at.row_length() * at.row_length()),
        dproj_bias(dbias + at.row_length()),
        dgamma(dproj_bias + at.channels),
        dbeta(dgamma + at.channels),
        total(dbeta + at.channels) {}
  int64_t dproj, dweight, dbias, dproj_bias, dgamma, dbeta, total;
};

// Gathers the tokens of a block into scratch.
template <class T>
Operand<T>* gathered(const MorphLayout& at, const Block& block, const T* from, Slot slot) {
  auto* to = scratch_of<Operand<T>>(slot, block.elements);
  for_block_tokens(at, block.first, block.last, [&](int64_t i, int64_t row) {
    prefetch_row(from + (row + kPrefetchDistance) * at.channels, at.channels);
    copy_row(to + i * at.channels, from + row * at.channels, at.channels);
  });
  return to;
}

// Computes du from dy and accumulates the gradients of the projection.
template <class T>
const Operand<T>* projection_backward(const NormTemporalBackwardOf<T>& p, const MorphLayout& at, const Block& block,
                                      const Operand<T>* proj, float* sums, bool first) {
  const Sums sum(at);
  const int64_t c = at.channels;
  const auto *dy = gathered(at, block, p.dy, kGradOut), *u = gathered(at, block, p.u, kTokens);
  float* du = scratch(kProduct, block.elements);
  gemm_tn_block(block.tokens, c, c, dy, c, u, c, sums + sum.dproj, c, !first);
  col_sum_block(block.tokens, c, dy, c, sums + sum.dproj_bias, !first);
  gemm_block(block.tokens, c, c, dy, c, proj, du, c, false);
  if constexpr (std::is_same_v<T, float>) return du;
  auto* rounded = scratch_of<Operand<T>>(kInner, block.elements);
  copy_row(rounded, du, block.elements);
  return rounded;
}

template <class T>
Operand<T>* normalised(const NormTemporalBackwardOf<T>& p, const MorphLayout& at, const Block& block) {
  const int64_t c = at.channels;
  auto* tokens = scratch_of<Operand<T>>(kTokens, block.elements);
  for_block_tokens(at, block.first, block.last, [&](int64_t i, int64_t row) {
    prefetch_row(p.x + (row + kPrefetchDistance) * c, c);
    normalise_row(p.x + row * c, c, {p.mean[row], p.rstd[row]}, p.gamma, p.beta, tokens + i * c);
  });
  return tokens;
}

template <class T>
void backward_block(const NormTemporalBackwardOf<T>& p, const MorphLayout& at, const Block& block,
                    const Operand<T>* weight, const Operand<T>* proj, float* sums, bool first) {
  const Sums sum(at);
  const MorphLayout local = block_layout(at, block.last - block.first);
  const int64_t c = at.channels, k = at.row_length(), n = local.chunks * at.groups;
  const auto* du = projection_backward(p, at, block, proj, sums, first);
  const auto* grad = block_rows(local, du, scratch_of<Operand<T>>(kGradRows, block.elements));
  const Operand<T>* normed = normalised(p, at, block);
  const auto* rows = block_rows(local, normed, scratch_of<Operand<T>>(kRows, block.elements));
  gemm_tn_block(n, k, k, grad, k, rows, k, sums + sum.dweight, k, !first);
  col_sum_block(n, k, grad, k, sums + sum.dbias, !first);
  float* dnormed = scratch(kTokens, block.elements);
  multiply_rows(local, grad, weight, nullptr, scratch(kProduct, block.elements), dnormed);
  if (first) clear_row(sums + sum.dgamma, 2 * c);
  for_block_tokens(at, block.first, block.last, [&](int64_t i, int64_t row) {
    prefetch_row<true>(p.dx + (row + kPrefetchDistance) * c, c);
    normalise_row_backward(p.x + row * c, c, {p.mean[row], p.rstd[row]}, p.gamma, dnormed + i * c, p.dy + row * c,
                           p.dx + row * c, sums + sum.dgamma, sums + sum.dbeta);
  });
}

}  // namespace

template <class T>
void norm_temporal_forward(const NormTemporalForwardOf<T>& p) {
  const MorphLayout at = layout_of(p.at);
  const int64_t chunks = chunks_per_block(at);
  const auto weight = packed_weight<Operand<T>>(*p.weight, at.row_length(), at.row_length(), Use::forward);
  const auto proj = packed_weight<Operand<T>>(*p.proj, at.channels, at.channels, Use::forward);
  parallel_for(blocks_of(at.chunks, chunks),
               [&](int64_t index) { forward_block(p, at, Block(at, chunks, index), weight->data(), proj->data()); });
}
FOR_FLOATS(norm_temporal_forward, NormTemporalForward)

template <class T>
void norm_temporal_backward(const NormTemporalBackwardOf<T>& p) {
  const MorphLayout at = layout_of(p.at);
  const int64_t chunks = chunks_per_block(at), c = at.channels, k = at.row_length();
  const auto weight = packed_weight<Operand<T>>(*p.weight, k, k, Use::backward);
  const auto proj = packed_weight<Operand<T>>(*p.proj, c, c, Use::backward);
  const Sums sum(at);
  SplitReducer sums(blocks_of(at.chunks, chunks), sum.total);
  sums.run([&](int64_t index, float* part, bool first) {
    backward_block(p, at, Block(at, chunks, index), weight->data(), proj->data(), part, first);
  });
  sums.reduce(sum.dproj, c * c, p.dproj);
  sums.reduce(sum.dproj_bias, c, p.dproj_bias);
  sums.reduce(sum.dweight, k * k, p.dweight);
  if (p.dbias) sums.reduce(sum.dbias, k, p.dbias);
  sums.reduce(sum.dgamma, c, p.dgamma);
  sums.reduce(sum.dbeta, c, p.dbeta);
}
FOR_FLOATS(norm_temporal_backward, NormTemporalBackward)

}  // namespace morphmlp::MORPHMLP_ISA
