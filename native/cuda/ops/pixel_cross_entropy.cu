#include "ops/pixel_cross_entropy.h"

#include "cuda/epilogue/column_sums.h"
#include "cuda/ops/norm_rows.h"
#include "cuda/workspace.h"
#include "ops/resize_axis.h"

namespace morphmlp::cuda {
namespace {

// The logits of one pixel, resized as they are read.
struct Corners {
  const float *top, *top_right, *bottom, *bottom_right;
  float right, down;

  __device__ Corners(const float* x, int64_t width, int64_t classes, const ResizeTap& row, const ResizeTap& column)
      : top(x + (row.from * width + column.from) * classes),
        top_right(x + (row.from * width + column.to) * classes),
        bottom(x + (row.to * width + column.from) * classes),
        bottom_right(x + (row.to * width + column.to) * classes),
        right(column.weight),
        down(row.weight) {}

  __device__ float at(int64_t c) const {
    const float above = fmaf(top_right[c] - top[c], right, top[c]);
    return fmaf(fmaf(bottom_right[c] - bottom[c], right, bottom[c]) - above, down, above);
  }
};

// A warp reads a pixel.
struct Pixels : WarpRows {
  PixelCrossEntropyForward p;
  float* losses;

  __device__ void operator()(None&) const {
    const int64_t at = row(), size = p.out_height * p.out_width;
    if (at >= p.batch * size) return;
    const ResizeTap down = ResizeAxis{p.height, p.out_height, false}.tap(at % size / p.out_width);
    const ResizeTap across = ResizeAxis{p.width, p.out_width, false}.tap(at % p.out_width);
    const Corners corners(p.logits + at / size * p.height * p.width * p.classes, p.width, p.classes, down, across);
    const int label = p.labels[at];
    int best = lane() < p.classes ? lane() : 0;
    float most = corners.at(best), own = 0;
    for (int64_t c = lane(); c < p.classes; c += kWarpSize) {
      const float logit = corners.at(c);
      if (c == label) own = logit;
      if (logit <= most) continue;
      most = logit;
      best = static_cast<int>(c);
    }
    const float largest = warp_max(most);
    best = static_cast<int>(-warp_max(most == largest ? -static_cast<float>(best) : -255.0f));
    float sum = 0;
    for (int64_t c = lane(); c < p.classes; c += kWarpSize) sum += expf(corners.at(c) - largest);
    const float log_sum = largest + logf(warp_sum(sum));
    own = warp_sum(own);
    if (lane() > 0) return;
    p.predicted[at] = static_cast<uint8_t>(best < p.classes ? best : 0);
    p.log_sums[at] = log_sum;
    losses[at] = label < p.classes ? p.weights[label] * (log_sum - own) : 0.0f;
  }
};

struct Mean {
  static constexpr int kSums = 2;
  PixelCrossEntropyForward p;
  const float* losses;

  __device__ void add(int, int64_t at, int, float (&sums)[2]) const {
    const int label = p.labels[at];
    if (label >= p.classes) return;
    sums[0] += losses[at];
    sums[1] += p.weights[label];
  }
  __device__ void finish(int, int, const double (&sums)[2]) const {
    *p.total = static_cast<float>(sums[1]);
    *p.loss = sums[1] > 0 ? static_cast<float>(sums[0] / sums[1]) : 0.0f;
  }
};

// A thread has one class of one element and reads the pixels around it.
struct Elements {
  PixelCrossEntropyBackward p;

  __device__ void operator()(int64_t index) const {
    const int64_t c = index % p.classes, element = index / p.classes;
    const int64_t j = element % p.width, i = element / p.width % p.height, picture = element / p.width / p.height;
    const ResizeAxis down{p.height, p.out_height, false}, across{p.width, p.out_width, false};
    const ResizeSpan ys = down.span(i), xs = across.span(j);
    const float* logits = p.logits + picture * p.height * p.width * p.classes;
    const float scale = *p.total > 0 ? *p.dloss / *p.total : 0.0f;
    float sum = 0;
    for (int64_t y = ys.begin; y < ys.end; ++y) {
      const ResizeTap row = down.tap(y);
      float line = 0;
      for (int64_t x = xs.begin; x < xs.end; ++x) {
        const int64_t at = (picture * p.out_height + y) * p.out_width + x;
        const int label = p.labels[at];
        if (label >= p.classes) continue;
        const ResizeTap column = across.tap(x);
        const Corners corners(logits, p.width, p.classes, row, column);
        const float probability = expf(corners.at(c) - p.log_sums[at]);
        line += p.weights[label] * column.of(j) * (probability - (c == label ? 1.0f : 0.0f));
      }
      sum += row.of(i) * line;
    }
    p.dlogits[index] = scale * sum;
  }
};

}  // namespace

void pixel_cross_entropy_forward(const PixelCrossEntropyForward& p) {
  const int64_t pixels = p.batch * p.out_height * p.out_width;
  const Workspace<float> losses(pixels);
  launch_rows(pixels, Pixels{{}, p, losses.data()});
  column_sums(1, pixels, 1, Mean{p, losses.data()});
}

void pixel_cross_entropy_backward(const PixelCrossEntropyBackward& p) {
  launch_each(p.batch * p.height * p.width * p.classes, Elements{p});
}

}  // namespace morphmlp::cuda
