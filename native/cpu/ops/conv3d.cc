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
enum Slot { kRows, kGradRows, kResults };

int64_t taps_of(const Conv3dShape& at) {
  return at.planar ? 1 : at.kernel[0] * at.kernel[1] * at.kernel[2];  // planar rows have the order of the weight
}

std::shared_ptr<PackedWeight> packed(const Conv3dShape& at, Buffer& weight, Use use) {
  return packed_weight(weight, {at.out_channels, filter_length(at), taps_of(at)}, use);
}

void add_bias(const float* bias, int64_t rows, int64_t n, float* y) {
  for (int64_t row = 0; row < rows; ++row) add_row(y + row * n, bias, n);
}

const float* gathered(const Conv3dShape& at, const float* x, const Im2colBlock& block) {
  const int64_t floats = (block.end - block.begin) * (block.last - block.first) * filter_row_length(at);
  float* rows = scratch(kRows, floats);
  im2col(at, x, block, rows);
  return rows;
}

// Accumulates one block of positions into the columns of dW (in im2col order) of filter rows [first, last).
void weight_gradient_block(const Conv3dBackward& p, const Im2colBlock& block, float* sums, bool first) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels, rows = block.end - block.begin;
  const int64_t width = (block.last - block.first) * filter_row_length(p.at);
  const float* dy = p.dy + block.begin * n;
  gemm_tn_block(rows, n, width, dy, n, gathered(p.at, p.x, block), width, sums + block.first * filter_row_length(p.at),
                k, !first);
  if (block.first == 0) col_sum_block(rows, n, dy, n, sums + n * k, !first);
}

void reduce_weight_gradient(const Conv3dBackward& p, const SplitReducer& sums) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels, taps = taps_of(p.at);
  sums.reduce(n * k, n, p.dbias);
  if (taps == 1) return sums.reduce(0, n * k, p.dweight);
  const PackedWeight by_tap({n, k, taps}, n * k);
  sums.reduce(0, n * k, by_tap.data());
  transpose_each(n, taps, k / taps, by_tap.data(), p.dweight);
}

void weight_gradient(const Conv3dBackward& p) {
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

void input_gradient_block(const Conv3dBackward& p, const float* weight, int64_t begin, int64_t end) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels;
  float* grad = scratch(kGradRows, (end - begin) * k);
  gemm_block(end - begin, k, n, p.dy + begin * n, n, weight, grad, k, false);
  col2im(p.at, grad, {begin, end, 0, filter_rows(p.at)}, p.dx);
}

void input_gradient(const Conv3dBackward& p) {
  const auto weight = packed(p.at, *p.weight, Use::backward);
  const int64_t inputs = p.at.batch * p.at.in_channels * p.at.in[0] * p.at.in[1] * p.at.in[2];
  for_blocks(inputs, kElementBlock, [&](int64_t begin, int64_t end) { std::fill(p.dx + begin, p.dx + end, 0.0f); });
  for_blocks(p.at.batch * positions_per_clip(p.at), positions_per_task(p.at), [&](int64_t first, int64_t last) {
    for (int64_t begin = first; begin < last; begin += kPositions)
      input_gradient_block(p, weight->data(), begin, std::min(last, begin + kPositions));
  });
}

void forward_block(const Conv3dForward& p, const float* weight, int64_t begin, int64_t end, float* y) {
  const int64_t k = filter_length(p.at), n = p.at.out_channels;
  const float* rows = gathered(p.at, p.x, {begin, end, 0, filter_rows(p.at)});
  gemm_block(end - begin, n, k, rows, k, weight, y, n, false);
  if (p.bias) add_bias(p.bias, end - begin, n, y);
}

}  // namespace

void conv3d_forward(const Conv3dForward& p) {
  if (p.at.groups > 1) return grouped_conv3d_forward(p);
  const auto weight = packed(p.at, *p.weight, Use::forward);
  for_blocks(p.at.batch * positions_per_clip(p.at), kPositions, [&](int64_t begin, int64_t end) {
    forward_block(p, weight->data(), begin, end, p.y + begin * p.at.out_channels);
  });
}

void conv3d_forward_blocks(const Conv3dForward& p, const BlockEpilogue& epilogue) {
  const auto weight = packed(p.at, *p.weight, Use::forward);
  for_blocks(p.at.batch * positions_per_clip(p.at), kPositions, [&](int64_t begin, int64_t end) {
    float* rows = scratch(kResults, (end - begin) * p.at.out_channels);
    forward_block(p, weight->data(), begin, end, rows);
    epilogue(begin, end, rows);
  });
}

void conv3d_backward(const Conv3dBackward& p) {
  if (p.at.groups > 1) return grouped_conv3d_backward(p);
  weight_gradient(p);
  if (p.dx) input_gradient(p);
}

}  // namespace morphmlp::MORPHMLP_ISA
