#include "ops/linear.h"

#include "cpu/gemm/packed_weight.h"
#include "cpu/simd/vmath.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kRowsPerBlock = 112;

// A task is a block of rows; with few rows, such as in the head of the network (one row per clip), it is also a range
// of weight panels.
struct Tasks {
  explicit Tasks(const LinearForward& p)
      : panels(panel_count(p.n)),
        blocks(blocks_of(p.rows, kRowsPerBlock)),
        panels_a_task(blocks >= 8 ? panels : std::max<int64_t>(1, panels / 8)),
        splits(blocks_of(panels, panels_a_task)) {}
  int64_t panels, blocks, panels_a_task, splits;
};

void finish_row(const LinearForward& p, int64_t row, int64_t column, int64_t columns) {
  float* y = p.y + row * p.n + column;
  float* z = p.z ? p.z + row * p.n + column : nullptr;
  for_lanes(columns, [&](int64_t i, auto get, auto put) {
    const V sum = p.bias ? add(get(y + i), get(p.bias + column + i)) : get(y + i);
    if (z) put(z + i, sum);
    put(y + i, p.gelu ? gelu(sum) : sum);
  });
}

void forward_task(const LinearForward& p, const Tasks& tasks, const float* packed, int64_t task) {
  const int64_t begin = task / tasks.splits * kRowsPerBlock, end = std::min(p.rows, begin + kRowsPerBlock);
  const int64_t first = task % tasks.splits * tasks.panels_a_task;
  const int64_t last = std::min(tasks.panels, first + tasks.panels_a_task);
  const int64_t column = first * kPanel, columns = std::min(p.n, last * kPanel) - column;
  gemm_block_panels(end - begin, p.n, p.k, p.x + begin * p.k, p.k, packed, p.y + begin * p.n, p.n, false, first, last);
  if (!p.bias && !p.gelu && !p.z) return;
  for (int64_t row = begin; row < end; ++row) finish_row(p, row, column, columns);
}

}  // namespace

void linear_forward(const LinearForward& p) {
  const auto packed = packed_weight(*p.weight, p.n, p.k, Use::forward);
  const Tasks tasks(p);
  parallel_for(tasks.blocks * tasks.splits, [&](int64_t task) { forward_task(p, tasks, packed->data(), task); });
}

void linear_backward(const LinearBackward& p) {
  const auto packed = p.dx ? packed_weight(*p.weight, p.n, p.k, Use::backward) : nullptr;
  SplitReducer sums(blocks_of(p.rows, kRowsPerBlock), p.n * p.k + p.n);
  sums.run([&](int64_t block, float* part, bool first) {
    const int64_t begin = block * kRowsPerBlock, rows = std::min(p.rows - begin, kRowsPerBlock);
    const float *dy = p.dy + begin * p.n, *x = p.x + begin * p.k;
    if (p.dx) gemm_block(rows, p.k, p.n, dy, p.n, packed->data(), p.dx + begin * p.k, p.k, false);
    if (p.dweight) gemm_tn_block(rows, p.n, p.k, dy, p.n, x, p.k, part, p.k, !first);
    if (p.dbias) col_sum_block(rows, p.n, dy, p.n, part + p.n * p.k, !first);
  });
  if (p.dweight) sums.reduce(0, p.n * p.k, p.dweight);
  if (p.dbias) sums.reduce(p.n * p.k, p.n, p.dbias);
}

}  // namespace morphmlp::MORPHMLP_ISA
