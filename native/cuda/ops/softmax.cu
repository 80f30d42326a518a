#include "ops/softmax.h"

#include "cuda/ops/norm_rows.h"

namespace morphmlp::cuda {
namespace {

struct Forward : WarpRows {
  SoftmaxForward p;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= p.rows) return;
    const float* x = p.x + r * p.cols;
    float most = x[0];
    for (int64_t i = lane(); i < p.cols; i += kWarpSize) most = x[i] <= most ? most : x[i];
    most = warp_max(most);
    float sum = 0;
    for (int64_t i = lane(); i < p.cols; i += kWarpSize) sum += expf(x[i] - most);
    sum = warp_sum(sum);
    for (int64_t i = lane(); i < p.cols; i += kWarpSize) p.y[r * p.cols + i] = expf(x[i] - most) / sum;
  }
};

struct Backward : WarpRows {
  SoftmaxBackward p;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= p.rows) return;
    const float *y = p.y + r * p.cols, *dy = p.dy + r * p.cols;
    float sum = 0;
    for (int64_t i = lane(); i < p.cols; i += kWarpSize) sum = fmaf(y[i], dy[i], sum);
    sum = warp_sum(sum);
    for (int64_t i = lane(); i < p.cols; i += kWarpSize) p.dx[r * p.cols + i] = y[i] * (dy[i] - sum);
  }
};

}  // namespace

void softmax_forward(const SoftmaxForward& p) {
  if (p.cols > 0) launch_rows(p.rows, Forward{{}, p});
}

void softmax_backward(const SoftmaxBackward& p) {
  if (p.cols > 0) launch_rows(p.rows, Backward{{}, p});
}

}  // namespace morphmlp::cuda
