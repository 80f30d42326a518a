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
inline const float* block_rows(const MorphLayout& block, const float* tokens, float* rows) {
  if (block.chunk_tokens == 1) return tokens;
  gather_chunks(block, 0, block.chunks, tokens, rows);
  return rows;
}

// Multiplies the rows by a packed weight and scatters the results to `tokens`; `product` is scratch.
inline void multiply_rows(const MorphLayout& block, const float* rows, const float* packed, const float* bias,
                          float* product, float* tokens) {
  const int64_t k = block.row_length(), n = block.chunks * block.groups;
  float* result = block.chunk_tokens == 1 ? tokens : product;
  gemm_block(n, k, k, rows, k, packed, result, k, false);
  for (int64_t row = 0; bias && row < n; ++row) add_row(result + row * k, bias, k);
  if (block.chunk_tokens > 1) scatter_chunks(block, 0, block.chunks, product, tokens);
}

inline void copy_row(float* to, const float* from, int64_t n) {
  std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
}

inline void clear_row(float* row, int64_t n) { std::memset(row, 0, static_cast<size_t>(n) * sizeof(float)); }

}  // namespace morphmlp::MORPHMLP_ISA
