#include "ops/linear.h"

#include "cpu/gemm/packed_weight.h"
#include "cpu/simd/vmath.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kRowsPerBlock = 112;
enum Slot { kInput, kGrad, kResults };

// A task is a block of rows; with few rows, such as in the head of the network (one row per clip), it is also a range
// of weight panels.
struct Tasks {
  template <class P>
  explicit Tasks(const P& p)
      : panels(panel_count(p.n)),
        blocks(blocks_of(p.rows, kRowsPerBlock)),
        panels_a_task(blocks >= 8 ? panels : std::max<int64_t>(1, panels / 8)),
        splits(blocks_of(panels, panels_a_task)) {}
  int64_t panels, blocks, panels_a_task, splits;
};

template <class T>
void finish_row(const LinearForwardOf<T>& p, const float* result, int64_t row, int64_t column, int64_t columns) {
  T* y = p.y + row * p.n + column;
  T* z = p.z ? p.z + row * p.n + column : nullptr;
  for_lanes(columns, [&](int64_t i, auto get, auto put) {
    const V sum = p.bias ? add(get(result + i), get(p.bias + column + i)) : get(result + i);
    if (z) put(z + i, sum);
    put(y + i, p.gelu ? gelu_of<T>(sum) : sum);
  });
}

template <class T>
void forward_task(const LinearForwardOf<T>& p, const Tasks& tasks, const Operand<T>* packed, int64_t task) {
  const int64_t begin = task / tasks.splits * kRowsPerBlock, end = std::min(p.rows, begin + kRowsPerBlock);
  const int64_t first = task % tasks.splits * tasks.panels_a_task;
  const int64_t last = std::min(tasks.panels, first + tasks.panels_a_task);
  const int64_t column = first * kPanel, columns = std::min(p.n, last * kPanel) - column;
  const int64_t rows = end - begin;
  const auto* x = operand_of(p.x + begin * p.k, rows * p.k, kInput);
  float* results = results_for(p.y + begin * p.n, rows * p.n, kResults);
  gemm_block_panels(rows, p.n, p.k, x, p.k, packed, results, p.n, false, first, last);
  if (std::is_same_v<T, float> && !p.bias && !p.gelu && !p.z) return;
  for (int64_t i = 0; i < rows; ++i) finish_row(p, results + i * p.n + column, begin + i, column, columns);
}

}  // namespace

template <class T>
void linear_forward(const LinearForwardOf<T>& p) {
  const auto packed = packed_weight<Operand<T>>(*p.weight, p.n, p.k, Use::forward);
  const Tasks tasks(p);
  parallel_for(tasks.blocks * tasks.splits, [&](int64_t task) { forward_task(p, tasks, packed->data(), task); });
}
FOR_FLOATS(linear_forward, LinearForward)

template <class T>
void linear_backward(const LinearBackwardOf<T>& p) {
  const auto packed = p.dx ? packed_weight<Operand<T>>(*p.weight, p.n, p.k, Use::backward) : nullptr;
  SplitReducer sums(blocks_of(p.rows, kRowsPerBlock), p.n * p.k + p.n);
  sums.run([&](int64_t block, float* part, bool first) {
    const int64_t begin = block * kRowsPerBlock, rows = std::min(p.rows - begin, kRowsPerBlock);
    const auto* dy = operand_of(p.dy + begin * p.n, rows * p.n, kGrad);
    if (p.dx) {
      float* results = results_for(p.dx + begin * p.k, rows * p.k, kResults);
      gemm_block(rows, p.k, p.n, dy, p.n, packed->data(), results, p.k, false);
      store_results(results, rows * p.k, p.dx + begin * p.k);
    }
    if (p.dweight) {
      const auto* x = operand_of(p.x + begin * p.k, rows * p.k, kInput);
      gemm_tn_block(rows, p.n, p.k, dy, p.n, x, p.k, part, p.k, !first);
    }
    if (p.dbias) col_sum_block(rows, p.n, dy, p.n, part + p.n * p.k, !first);
  });
  if (p.dweight) sums.reduce(0, p.n * p.k, p.dweight);
  if (p.dbias) sums.reduce(p.n * p.k, p.n, p.dbias);
}
FOR_FLOATS(linear_backward, LinearBackward)

}  // namespace morphmlp::MORPHMLP_ISA
