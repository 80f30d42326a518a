#include "cpu/gemm/gathered_fc.h"

#include "cpu/gemm/chunk_block.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kRows, kGradRows, kProduct, kCopiedRows, kCopiedGradRows };

// Chunks [first, last) of a block and the size of their rows.
struct ChunkBlock {
  ChunkBlock(const MorphLayout& at, int64_t index)
      : first(index * chunks_per_block(at)),
        last(std::min(at.chunks, first + chunks_per_block(at))),
        rows((last - first) * at.groups),
        elements(rows * at.row_length()) {}
  int64_t first, last, rows, elements;
};

int64_t block_count(const MorphLayout& at) { return blocks_of(at.chunks, chunks_per_block(at)); }

template <class T>
const Operand<T>* gathered(const MorphLayout& at, const ChunkBlock& block, const T* x, Slot slot) {
  T* rows = scratch_of<T>(slot, block.elements);
  gather_chunks(at, block.first, block.last, x, rows);
  return operand_of(rows, block.elements, slot == kRows ? kCopiedRows : kCopiedGradRows);
}

template <class T>
void multiply_and_scatter(const MorphLayout& at, const ChunkBlock& block, const Operand<T>* rows,
                          const Operand<T>* packed, const float* bias, T* y) {
  const int64_t k = at.row_length();
  float* product = scratch(kProduct, block.elements);
  gemm_block(block.rows, k, k, rows, k, packed, product, k, false);
  T* to = narrowed<T>(product);
  const int64_t stride = kNarrowed<T> * k;
  if (bias || !std::is_same_v<T, float>)
    for (int64_t row = 0; row < block.rows; ++row) store_row(product + row * k, bias, k, to + row * stride);
  scatter_chunks(at, block.first, block.last, to, stride, y);
}

}  // namespace

template <class T>
void gathered_fc_forward(const MorphLayout& at, const T* x, Buffer& weight, const float* bias, T* y) {
  const auto packed = packed_weight<Operand<T>>(weight, at.row_length(), at.row_length(), Use::forward);
  parallel_for(block_count(at), [&](int64_t index) {
    const ChunkBlock block(at, index);
    multiply_and_scatter(at, block, gathered(at, block, x, kRows), packed->data(), bias, y);
  });
}

template <class T>
void gathered_fc_backward(const MorphLayout& at, const T* x, Buffer& weight, const T* dy, T* dx, float* dweight,
                          float* dbias) {
  const int64_t k = at.row_length();
  const auto packed = dx ? packed_weight<Operand<T>>(weight, k, k, Use::backward) : nullptr;
  SplitReducer sums(block_count(at), k * k + k);
  sums.run([&](int64_t index, float* part, bool first) {
    const ChunkBlock block(at, index);
    const auto* grad = gathered(at, block, dy, kGradRows);
    if (dweight) gemm_tn_block(block.rows, k, k, grad, k, gathered(at, block, x, kRows), k, part, k, !first);
    if (dbias) col_sum_block(block.rows, k, grad, k, part + k * k, !first);
    if (dx) multiply_and_scatter(at, block, grad, packed->data(), nullptr, dx);
  });
  if (dweight) sums.reduce(0, k * k, dweight);
  if (dbias) sums.reduce(k * k, k, dbias);
}

#define INSTANTIATE(T)                                                                        \
  template void gathered_fc_forward(const MorphLayout&, const T*, Buffer&, const float*, T*); \
  template void gathered_fc_backward(const MorphLayout&, const T*, Buffer&, const T*, T*, float*, float*);
INSTANTIATE(float)
INSTANTIATE(Bf16)

}  // namespace morphmlp::MORPHMLP_ISA
