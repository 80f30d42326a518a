// Fused kernels process a block of chunks in scratch: normalise their tokens, multiply their rows and use the results
// while everything is in cache. The tokens of a block are contiguous in chunk order, [chunk][L][C]; padding is zero.
#pragma once
#include <cstring>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/morph_gather.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

// Calls body(i, row) for each token of the block: token i is row `row` of the whole tensor, or padding if row is -1.
template <class F>
void for_block_tokens(const MorphLayout& at, int64_t first, int64_t last, F&& body) {
  int64_t i = 0;
  TokenIndices tokens(at);
  for (int64_t chunk = first; chunk < last; ++chunk) {
    const int64_t* token = tokens.of(chunk);
    for (int64_t l = 0; l < at.chunk_tokens; ++l) body(i++, token[l]);
  }
}

// Layout of the FC's rows in the contiguous tokens of a block of `chunks` chunks.
inline MorphLayout block_layout(const MorphLayout& at, int64_t chunks) {
  const int64_t tokens = chunks * at.chunk_tokens;
  return {chunks, at.chunk_tokens, at.groups, at.group_channels, at.channels, tokens, 1, tokens, chunks, false, false};
}

// The FC's rows of a block: `tokens` itself if a chunk is one token, else gathered into `rows`.
template <class E>
const E* block_rows(const MorphLayout& block, const E* tokens, E* rows) {
  if (block.chunk_tokens == 1) return tokens;
  gather_chunks(block, 0, block.chunks, tokens, rows);
  return rows;
}

// Adds the bias to a row of results, if there is one, and stores it as R.
template <class R>
void store_row(const float* result, const float* bias, int64_t n, R* to) {
  if (!bias) return copy_row(to, result, n);
  for_lanes(n, [&](int64_t i, auto get, auto put) { put(to + i, add(get(result + i), get(bias + i))); });
}

// Multiplies the rows by a packed weight and scatters the results to `tokens`; `product` is scratch.
template <class E, class R>
void multiply_rows(const MorphLayout& block, const E* rows, const E* packed, const float* bias, float* product,
                   R* tokens) {
  const int64_t k = block.row_length(), n = block.chunks * block.groups;
  if constexpr (std::is_same_v<R, float>) {
    float* result = block.chunk_tokens == 1 ? tokens : product;
    gemm_block(n, k, k, rows, k, packed, result, k, false);
    for (int64_t row = 0; bias && row < n; ++row) add_row(result + row * k, bias, k);
    if (block.chunk_tokens > 1) scatter_chunks(block, 0, block.chunks, product, k, tokens);
  } else {
    gemm_block(n, k, k, rows, k, packed, product, k, false);
    const bool gathered = block.chunk_tokens > 1;
    const int64_t stride = gathered ? kNarrowed<R> * k : k;
    R* to = gathered ? narrowed<R>(product) : tokens;
    for (int64_t row = 0; row < n; ++row) store_row(product + row * k, bias, k, to + row * stride);
    if (gathered) scatter_chunks(block, 0, block.chunks, to, stride, tokens);
  }
}

}  // namespace morphmlp::MORPHMLP_ISA
