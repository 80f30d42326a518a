#include "ops/pixel_cross_entropy.h"

#include <cmath>
#include <vector>

#include "cpu/ops/resize_taps.h"
#include "cpu/rows.h"
#include "cpu/simd/vmath.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

constexpr int64_t kMostClasses = 255;

// Resized logits of one pixel and what the loss needs of them.
struct Pixel {
  float logits[kMostClasses], shares[kMostClasses];
  int64_t best;
  float log_sum;

  Pixel(const Corners<float>& corners, int64_t classes) {
    for_lanes(classes, [&](int64_t c, auto get, auto put) { put(logits + c, corners.at(c, get)); });
    best = 0;
    for (int64_t c = 1; c < classes; ++c)
      if (!(logits[c] <= logits[best])) best = c;
    const V largest = set1(logits[best]);
    for_lanes(classes, [&](int64_t c, auto get, auto put) { put(shares + c, exp(sub(get(logits + c), largest))); });
    V sum = zero();
    for_lanes(classes, [&](int64_t c, auto get, auto) { sum = add(sum, get(shares + c)); });
    log_sum = logits[best] + std::log(hsum(sum));
  }
};

// Sums of a row of pixels.
struct RowLoss {
  double loss = 0, total = 0;
};

}  // namespace

void pixel_cross_entropy_forward(const PixelCrossEntropyForward& p) {
  p.total[0] = p.loss[0] = 0;
  if (p.batch == 0) return;  // no buffer bounds the other sizes
  const ResizeAxis down{p.height, p.out_height, false};
  const std::vector<ResizeTap> columns = taps_of({p.width, p.out_width, false});
  std::vector<RowLoss> rows(static_cast<size_t>(p.batch * p.out_height));
  for_blocks(p.batch * p.out_height, 1, [&](int64_t row, int64_t) {
    const ResizeTap tap = down.tap(row % p.out_height);
    const float* logits = p.logits + row / p.out_height * p.height * p.width * p.classes;
    RowLoss sums;
    for (int64_t x = 0; x < p.out_width; ++x) {
      const Pixel pixel(Corners<float>(logits, p.width, p.classes, tap, columns[x]), p.classes);
      const int64_t at = row * p.out_width + x;
      p.predicted[at] = static_cast<uint8_t>(pixel.best);
      p.log_sums[at] = pixel.log_sum;
      const int64_t label = p.labels[at];
      if (label >= p.classes) continue;
      sums.loss += static_cast<double>(p.weights[label]) * (static_cast<double>(pixel.log_sum) - pixel.logits[label]);
      sums.total += p.weights[label];
    }
    rows[static_cast<size_t>(row)] = sums;
  });
  RowLoss all;
  for (const RowLoss& row : rows) {
    all.loss += row.loss;
    all.total += row.total;
  }
  p.total[0] = static_cast<float>(all.total);
  if (all.total > 0) p.loss[0] = static_cast<float>(all.loss / all.total);
}

// A row of dlogits is written by one task, in the order of the pixels that read it.
void pixel_cross_entropy_backward(const PixelCrossEntropyBackward& p) {
  if (p.batch == 0) return;
  const ResizeAxis down{p.height, p.out_height, false};
  const std::vector<ResizeTap> rows = taps_of(down), columns = taps_of({p.width, p.out_width, false});
  const float scale = p.total[0] > 0 ? p.dloss[0] / p.total[0] : 0.0f;
  for_blocks(p.batch * p.height, 1, [&](int64_t row, int64_t) {
    const int64_t i = row % p.height, picture = row / p.height;
    const float* logits = p.logits + picture * p.height * p.width * p.classes;
    float* to = p.dlogits + row * p.width * p.classes;
    clear_row(to, p.width * p.classes);
    const ResizeSpan ys = down.span(i);
    for (int64_t y = ys.begin; y < ys.end; ++y)
      for (int64_t x = 0; x < p.out_width; ++x) {
        const int64_t at = (picture * p.out_height + y) * p.out_width + x, label = p.labels[at];
        if (label >= p.classes) continue;
        const float share = scale * p.weights[label] * rows[y].of(i);
        const ResizeTap& column = columns[x];
        const V left = set1(share * column.of(column.from)), right = set1(share * column.weight);
        float *from = to + column.from * p.classes, *next = to + column.to * p.classes;
        const Corners<float> corners(logits, p.width, p.classes, rows[y], column);
        const V log_sum = set1(p.log_sums[at]);
        for_lanes(p.classes, [&](int64_t c, auto get, auto put) {
          const V probability = exp(sub(corners.at(c, get), log_sum));
          put(from + c, fma(left, probability, get(from + c)));
          if (from != next) put(next + c, fma(right, probability, get(next + c)));
        });
        from[label] -= share * column.of(column.from);
        if (from != next) next[label] -= share * column.weight;
      }
  });
}

}  // namespace morphmlp::MORPHMLP_ISA
