#include "cpu/gemm/gathered_fc.h"

#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kRows, kGradRows, kProduct };

// Chunks [first, last) of a block and the size of their rows.
struct ChunkBlock {
  ChunkBlock(const MorphLayout& at, int64_t index)
      : first(index * chunks_per_block(at)),
        last(std::min(at.chunks, first + chunks_per_block(at))),
        rows((last - first) * at.groups),
        floats(rows * at.row_length()) {}
  int64_t first, last, rows, floats;
};

int64_t block_count(const MorphLayout& at) { return blocks_of(at.chunks, chunks_per_block(at)); }

const float* gathered(const MorphLayout& at, const ChunkBlock& block, const float* x, Slot slot) {
  float* rows = scratch(slot, block.floats);
  gather_chunks(at, block.first, block.last, x, rows);
  return rows;
}

void multiply_and_scatter(const MorphLayout& at, const ChunkBlock& block, const float* rows, const float* packed,
                          const float* bias, float* y) {
  const int64_t k = at.row_length();
  float* product = scratch(kProduct, block.floats);
  gemm_block(block.rows, k, k, rows, k, packed, product, k, false);
  if (bias)
    for (int64_t row = 0; row < block.rows; ++row) add_row(product + row * k, bias, k);
  scatter_chunks(at, block.first, block.last, product, y);
}

}  // namespace

void gathered_fc_forward(const MorphLayout& at, const float* x, Buffer& weight, const float* bias, float* y) {
  const auto packed = packed_weight(weight, at.row_length(), at.row_length(), Use::forward);
  parallel_for(block_count(at), [&](int64_t index) {
    const ChunkBlock block(at, index);
    multiply_and_scatter(at, block, gathered(at, block, x, kRows), packed->data(), bias, y);
  });
}

void gathered_fc_backward(const MorphLayout& at, const float* x, Buffer& weight, const float* dy, float* dx,
                          float* dweight, float* dbias) {
  const int64_t k = at.row_length();
  const auto packed = dx ? packed_weight(weight, k, k, Use::backward) : nullptr;
  SplitReducer sums(block_count(at), k * k + k);
  sums.run([&](int64_t index, float* part, bool first) {
    const ChunkBlock block(at, index);
    const float* grad = gathered(at, block, dy, kGradRows);
    if (dweight) gemm_tn_block(block.rows, k, k, grad, k, gathered(at, block, x, kRows), k, part, k, !first);
    if (dbias) col_sum_block(block.rows, k, grad, k, part + k * k, !first);
    if (dx) multiply_and_scatter(at, block, grad, packed->data(), nullptr, dx);
  });
  if (dweight) sums.reduce(0, k * k, dweight);
  if (dbias) sums.reduce(k * k, k, dbias);
}

}  // namespace morphmlp::MORPHMLP_ISA
