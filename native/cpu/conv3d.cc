#include "kernels/conv3d.h"

#include <cstring>

#include "cpu/packed_weight.h"
#include "cpu/partial_sums.h"
#include "cpu/patches.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kPositions = 112;  // output positions a block: eight register tiles
enum Slot { kPatches, kGradPatches };

int64_t taps_of(const Conv3dShape& at) { return at.kernel[0] * at.kernel[1] * at.kernel[2]; }

// weight[o][c][tap] in the order of the patch rows, [o][tap][c].
std::vector<float> by_tap(const Conv3dShape& at, const float* weight) {
  const int64_t taps = taps_of(at);
  std::vector<float> out(static_cast<size_t>(at.out_channels * taps * at.in_channels));
  for (int64_t o = 0; o < at.out_channels; ++o)
    for (int64_t c = 0; c < at.in_channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        out[(o * taps + tap) * at.in_channels + c] = weight[(o * at.in_channels + c) * taps + tap];
  return out;
}

void from_taps(const Conv3dShape& at, const std::vector<float>& by_tap, float* weight) {
  const int64_t taps = taps_of(at);
  for (int64_t o = 0; o < at.out_channels; ++o)
    for (int64_t c = 0; c < at.in_channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        weight[(o * at.in_channels + c) * taps + tap] = by_tap[(o * taps + tap) * at.in_channels + c];
}

std::shared_ptr<PackedWeight> packed(const Conv3dShape& at, Buffer& weight, Use use) {
  if (at.planar) return packed_weight(weight, at.out_channels, patch_length(at), use);
  return packed_weight(weight, at.out_channels, patch_length(at), use, [&](const float* w) { return by_tap(at, w); });
}

void add_bias(const float* bias, int64_t rows, int64_t n, float* y) {
  for (int64_t row = 0; row < rows; ++row) add_row(y + row * n, bias, n);
}

// A unit of the backward: positions whose patches no other unit's touch, so that each unit can add into dx. Frames are
// such units where the kernel spans one frame; else whole clips. Without dx the patches may overlap.
int64_t positions_a_unit(const Conv3dBackward& p) {
  return !p.dx || p.at.kernel[0] == 1 ? positions_a_frame(p.at) : positions_a_clip(p.at);
}

void backward_block(const Conv3dBackward& p, const float* weight, int64_t begin, int64_t end, float* sums, bool first) {
  const int64_t k = patch_length(p.at), n = p.at.out_channels, rows = end - begin;
  const float* dy = p.dy + begin * n;
  float* patches = scratch(kPatches, rows * k);
  gather_patches(p.at, p.x, begin, end, patches);
  gemm_tn_block(rows, n, k, dy, n, patches, k, sums, k, !first);
  col_sum_block(rows, n, dy, n, sums + n * k, !first);
  if (!p.dx) return;
  float* grad = scratch(kGradPatches, rows * k);
  gemm_block(rows, k, n, dy, n, weight, grad, k, false);
  scatter_patches(p.at, grad, begin, end, p.dx);
}

}  // namespace

void conv3d_forward(const Conv3dForward& p) {
  const auto weight = packed(p.at, *p.weight, Use::forward);
  const int64_t k = patch_length(p.at), n = p.at.out_channels;
  for_blocks(p.at.batch * positions_a_clip(p.at), kPositions, [&](int64_t begin, int64_t end) {
    float* patches = scratch(kPatches, (end - begin) * k);
    gather_patches(p.at, p.x, begin, end, patches);
    gemm_block(end - begin, n, k, patches, k, weight->data(), p.y + begin * n, n, false);
    if (p.bias) add_bias(p.bias, end - begin, n, p.y + begin * n);
  });
}

void conv3d_backward(const Conv3dBackward& p) {
  const auto weight = p.dx ? packed(p.at, *p.weight, Use::backward) : nullptr;
  const int64_t k = patch_length(p.at), n = p.at.out_channels, unit = positions_a_unit(p);
  const int64_t units = p.at.batch * positions_a_clip(p.at) / unit;
  if (p.dx) {
    const int64_t inputs = p.at.batch * p.at.in_channels * p.at.in[0] * p.at.in[1] * p.at.in[2];
    for_blocks(inputs, kElementBlock, [&](int64_t begin, int64_t end) { std::fill(p.dx + begin, p.dx + end, 0.0f); });
  }
  PartialSums sums(units, n * k + n);
  sums.run([&](int64_t index, float* part, bool first) {
    for (int64_t begin = index * unit, end = begin + unit; begin < end; begin += kPositions, first = false)
      backward_block(p, weight ? weight->data() : nullptr, begin, std::min(end, begin + kPositions), part, first);
  });
  sums.reduce(n * k, n, p.dbias);
  if (p.at.planar) return sums.reduce(0, n * k, p.dweight);
  std::vector<float> dweight(static_cast<size_t>(n * k));
  sums.reduce(0, n * k, dweight.data());
  from_taps(p.at, dweight, p.dweight);
}

}  // namespace morphmlp::MORPHMLP_ISA
