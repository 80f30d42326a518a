#include "cpu/ops/conv3d.h"

#include <cstring>

#include "cpu/gemm/im2col.h"
#include "cpu/gemm/packed_weight.h"
#include "cpu/ops/conv3d_groups.h"
#include "cpu/split_reduce.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kPositions = 112;             // output positions per block: eight register tiles
constexpr int64_t kGradPositions = kSumLength;  // output positions per block of the weight gradient
constexpr int64_t kLongFilterRow = 256;         // floats; longer filter rows are reduced one by one, to stay in cache
enum Slot { kRows, kGradRows, kResults, kOperand, kGrad };

int64_t taps_of(const Conv3dShape& at) {
  return at.planar ? 1 : at.kernel[0] * at.kernel[1] * at.kernel[2];  // planar rows have the order of the weight
}

template <class T>
SharedWeight<Operand<T>> packed(const Conv3dShape& at, Buffer& weight, Use use) {
  return packed_weight<Operand<T>>(weight, WeightMatrix{at.out_channels, filter_length(at), taps_of(at)}, use);
}

void add_bias(const float* bias, int64_t rows, int64_t n, float* y) {
  for (int64_t row = 0; row < rows; ++row) add_row(y + row * n, bias, n);
}

template <class T>
const Operand<T>* gathered(const Conv3dShape& at, const T* x, const Im2colBlock& block) {
  const int64_t elements = (block.end - block.begin) * (block.last - block.first) * filter_row_length(at);
  T* rows = scratch_of<T>(kRows, elements);
  im2col(at, x, block, rows);
  return operand_of(rows, elements, kOperand);
}

// Accumulates one block of positions into the columns of dW (in im2col order) of filter rows [first, last).
template <class T>
void weight_gradient_block(const Conv3dBackwardOf<T>& p, const Im2colBlock& block, float* sums, bool first) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels, rows = block.end - block.begin;
  const int64_t width = (block.last - block.first) * filter_row_length(p.at);
  const auto* dy = operand_of(p.dy + block.begin * n, rows * n, kGrad);
  gemm_tn_block(rows, n, width, dy, n, gathered(p.at, p.x, block), width, sums + block.first * filter_row_length(p.at),
                k, !first);
  if (block.first == 0) col_sum_block(rows, n, dy, n, sums + n * k, !first);
}

template <class P>
void reduce_weight_gradient(const P& p, const SplitReducer& sums) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels, taps = taps_of(p.at);
  sums.reduce(n * k, n, p.dbias);
  if (taps == 1) return sums.reduce(0, n * k, p.dweight);
  const PackedWeight<float> by_tap({n, k, taps}, n * k);
  sums.reduce(0, n * k, by_tap.data());
  transpose_each(n, taps, k / taps, by_tap.data(), p.dweight);
}

template <class T>
void weight_gradient(const Conv3dBackwardOf<T>& p) {
  const int64_t positions = p.at.batch * positions_per_clip(p.at), filter_row_count = filter_rows(p.at);
  const int64_t slices = filter_row_length(p.at) >= kLongFilterRow ? filter_row_count : 1;
  SplitReducer sums(blocks_of(positions, kGradPositions), p.at.out_channels * (filter_length(p.at) + 1));
  sums.run_slices(slices, [&](int64_t index, int64_t slice, float* part, bool first) {
    const int64_t begin = index * kGradPositions, end = std::min(positions, begin + kGradPositions);
    weight_gradient_block(p, {begin, end, slice * filter_row_count / slices, (slice + 1) * filter_row_count / slices},
                          part, first);
  });
  reduce_weight_gradient(p, sums);
}

// Positions per task of dx. Tasks must not write the same inputs: a task is a whole frame if the kernel spans one
// frame, else a whole clip, or several if they are small and there are many.
int64_t positions_per_task(const Conv3dShape& at) {
  const int64_t least = at.kernel[0] == 1 ? positions_per_frame(at) : positions_per_clip(at);
  const int64_t count = at.batch * positions_per_clip(at) / least;
  return least * std::max<int64_t>(1, std::min(kPositions / least, count / 16));
}

// Adds the gradients of the inputs of positions [begin, end) to dx.
template <class T>
void input_gradient_block(const Conv3dBackwardOf<T>& p, const Operand<T>* weight, int64_t begin, int64_t end,
                          float* dx) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels;
  float* grad = scratch(kGradRows, (end - begin) * k);
  gemm_block(end - begin, k, n, operand_of(p.dy + begin * n, (end - begin) * n, kGrad), n, weight, grad, k, false);
  col2im(p.at, grad, {begin, end, 0, filter_rows(p.at)}, dx);
}

// The sums of a dx in bf16 are in f32 until all are complete.
template <class T>
void input_gradient(const Conv3dBackwardOf<T>& p) {
  constexpr bool kInPlace = std::is_same_v<T, float>;
  const auto weight = packed<T>(p.at, *p.weight, Use::backward);
  const int64_t inputs = p.at.batch * p.at.in_channels * p.at.in[0] * p.at.in[1] * p.at.in[2];
  const PackedWeight<float> sums({1, 1}, kInPlace ? 0 : inputs);  // as a temporary
  float* dx = sums.data();
  if constexpr (kInPlace) dx = p.dx;
  for_blocks(inputs, kElementBlock, [&](int64_t begin, int64_t end) { std::fill(dx + begin, dx + end, 0.0f); });
  for_blocks(p.at.batch * positions_per_clip(p.at), positions_per_task(p.at), [&](int64_t first, int64_t last) {
    for (int64_t begin = first; begin < last; begin += kPositions)
      input_gradient_block(p, weight->data(), begin, std::min(last, begin + kPositions), dx);
  });
  if (kInPlace) return;
  for_blocks(inputs, kElementBlock,
             [&](int64_t begin, int64_t end) { store_results(dx + begin, end - begin, p.dx + begin); });
}

template <class T>
void forward_block(const Conv3dForwardOf<T>& p, const Operand<T>* weight, int64_t begin, int64_t end, float* y) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels;
  const auto* rows = gathered(p.at, p.x, {begin, end, 0, filter_rows(p.at)});
  gemm_block(end - begin, n, k, rows, k, weight, y, n, false);
  if (p.bias) add_bias(p.bias, end - begin, n, y);
}

}  // namespace

template <class T>
void conv3d_forward(const Conv3dForwardOf<T>& p) {
  if (p.at.groups > 1) return grouped_conv3d_forward(p);
  const auto weight = packed<T>(p.at, *p.weight, Use::forward);
  for_blocks(p.at.batch * positions_per_clip(p.at), kPositions, [&](int64_t begin, int64_t end) {
    const int64_t n = (end - begin) * p.at.out_channels;
    T* y = p.y + begin * p.at.out_channels;
    float* results = results_for(y, n, kResults);
    forward_block(p, weight->data(), begin, end, results);
    store_results(results, n, y);
  });
}
FOR_FLOATS(conv3d_forward, Conv3dForward)

template <class T>
void conv3d_forward_blocks(const Conv3dForwardOf<T>& p, const BlockEpilogue& epilogue) {
  const auto weight = packed<T>(p.at, *p.weight, Use::forward);
  for_blocks(p.at.batch * positions_per_clip(p.at), kPositions, [&](int64_t begin, int64_t end) {
    float* rows = scratch(kResults, (end - begin) * p.at.out_channels);
    forward_block(p, weight->data(), begin, end, rows);
    epilogue(begin, end, rows);
  });
}
template void conv3d_forward_blocks(const Conv3dForward&, const BlockEpilogue&);
template void conv3d_forward_blocks(const Conv3dForwardOf<Bf16>&, const BlockEpilogue&);

template <class T>
void conv3d_backward(const Conv3dBackwardOf<T>& p) {
  if (p.at.groups > 1) return grouped_conv3d_backward(p);
  weight_gradient(p);
  if (p.dx) input_gradient(p);
}
FOR_FLOATS(conv3d_backward, Conv3dBackward)

}  // namespace morphmlp::MORPHMLP_ISA
