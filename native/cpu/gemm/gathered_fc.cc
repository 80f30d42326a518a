#include "cpu/gemm/gathered_fc.h"

#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

enum Slot { kRows, kGradRows, kProduct };

// The units [first, last) of a block, and the rows they make.
struct UnitBlock {
  UnitBlock(const RowUnits& at, int64_t index)
      : first(index * units_per_block(at)),
        last(std::min(at.units, first + units_per_block(at))),
        rows((last - first) * at.groups),
        floats(rows * at.row_length()) {}
  int64_t first, last, rows, floats;
};

int64_t block_count(const RowUnits& at) { return blocks_of(at.units, units_per_block(at)); }

const float* gathered(const RowUnits& at, const UnitBlock& block, const float* x, Slot slot) {
  float* rows = scratch(slot, block.floats);
  gather_units(at, block.first, block.last, x, rows);
  return rows;
}

void product_to(const RowUnits& at, const UnitBlock& block, const float* rows, const float* packed, const float* bias,
                float* y) {
  const int64_t k = at.row_length();
  float* product = scratch(kProduct, block.floats);
  gemm_block(block.rows, k, k, rows, k, packed, product, k, false);
  if (bias)
    for (int64_t row = 0; row < block.rows; ++row) add_row(product + row * k, bias, k);
  scatter_units(at, block.first, block.last, product, y);
}

}  // namespace

void unit_fc_forward(const RowUnits& at, const float* x, Buffer& weight, const float* bias, float* y) {
  const auto packed = packed_weight(weight, at.row_length(), at.row_length(), Use::forward);
  parallel_for(block_count(at), [&](int64_t index) {
    const UnitBlock block(at, index);
    product_to(at, block, gathered(at, block, x, kRows), packed->data(), bias, y);
  });
}

void unit_fc_backward(const RowUnits& at, const float* x, Buffer& weight, const float* dy, float* dx, float* dweight,
                      float* dbias) {
  const int64_t k = at.row_length();
  const auto packed = dx ? packed_weight(weight, k, k, Use::backward) : nullptr;
  PartialSums sums(block_count(at), k * k + k);
  sums.run([&](int64_t index, float* part, bool first) {
    const UnitBlock block(at, index);
    const float* grad = gathered(at, block, dy, kGradRows);
    if (dweight) gemm_tn_block(block.rows, k, k, grad, k, gathered(at, block, x, kRows), k, part, k, !first);
    if (dbias) col_sum_block(block.rows, k, grad, k, part + k * k, !first);
    if (dx) product_to(at, block, grad, packed->data(), nullptr, dx);
  });
  if (dweight) sums.reduce(0, k * k, dweight);
  if (dbias) sums.reduce(k * k, k, dbias);
}

}  // namespace morphmlp::MORPHMLP_ISA
