// A block of units in scratch: the fused kernels normalise the tokens of a few units, multiply their rows and go on
// with the results while all of it is in cache. The block's tokens lie one after the other in the order of its units,
// [unit][R][C]; places that are padding hold zeros.
#pragma once
#include <cstring>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/morph_gather.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

// body(i, token): the i-th token of the block is the row `token` of the whole tensor, or padding where that is -1.
template <class F>
void for_block_tokens(const RowUnits& at, int64_t first, int64_t last, F&& body) {
  int64_t i = 0;
  UnitTokens tokens(at);
  for (int64_t unit = first; unit < last; ++unit) {
    const int64_t* token = tokens.of(unit);
    for (int64_t l = 0; l < at.runs; ++l) body(i++, token[l]);
  }
}

// How the FC's rows lie in the tokens of a block of so many units.
inline RowUnits block_units(const RowUnits& at, int64_t units) {
  const int64_t tokens = units * at.runs;
  return {units, at.runs, at.groups, at.run, at.channels, tokens, 1, tokens, units, false, false};
}

// The FC's rows of a block: `tokens` themselves where a unit is one token, else gathered into `rows`.
inline const float* block_rows(const RowUnits& block, const float* tokens, float* rows) {
  if (block.runs == 1) return tokens;
  gather_units(block, 0, block.units, tokens, rows);
  return rows;
}

// tokens = rows times a packed weight, put back to the places of the rows; `product` is scratch.
inline void multiply_rows(const RowUnits& block, const float* rows, const float* packed, const float* bias,
                          float* product, float* tokens) {
  const int64_t k = block.row_length(), n = block.units * block.groups;
  float* result = block.runs == 1 ? tokens : product;
  gemm_block(n, k, k, rows, k, packed, result, k, false);
  for (int64_t row = 0; bias && row < n; ++row) add_row(result + row * k, bias, k);
  if (block.runs > 1) scatter_units(block, 0, block.units, product, tokens);
}

inline void copy_row(float* to, const float* from, int64_t n) {
  std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float));
}

inline void clear_row(float* row, int64_t n) { std::memset(row, 0, static_cast<size_t>(n) * sizeof(float)); }

}  // namespace morphmlp::MORPHMLP_ISA
