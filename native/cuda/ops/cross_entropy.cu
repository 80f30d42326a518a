#include "ops/cross_entropy.h"

#include "cuda/ops/norm_rows.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {
namespace {

// A warp computes the probabilities of a row and its loss, in double: there is one row a clip, so that double costs
// nothing.
struct Rows : WarpRows {
  CrossEntropyForward p;
  double* losses;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= p.rows) return;
    const float* logits = p.logits + r * p.classes;
    float most = logits[0];
    for (int64_t i = lane(); i < p.classes; i += kWarpSize) most = logits[i] <= most ? most : logits[i];
    most = warp_max(most);
    double sum = 0, loss = 0;
    for (int64_t i = lane(); i < p.classes; i += kWarpSize) sum += exp(static_cast<double>(logits[i]) - most);
    const double log_sum = log(warp_sum(sum));
    for (int64_t i = lane(); i < p.classes; i += kWarpSize) {
      const double log_probability = static_cast<double>(logits[i]) - most - log_sum;
      const float target = p.targets[r * p.classes + i];
      p.probabilities[r * p.classes + i] = static_cast<float>(exp(log_probability));
      if (target != 0) loss -= target * log_probability;  // a class ruled out (-inf) costs nothing
    }
    loss = warp_sum(loss);
    if (lane() == 0) losses[r] = loss;
  }
};

struct Mean : Unshared {
  const double* losses;
  int64_t rows;
  float* loss;

  __device__ void operator()(None&) const {
    if (threadIdx.x > 0) return;
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i) sum += losses[i];
    *loss = static_cast<float>(sum / static_cast<double>(rows));
  }
};

struct Backward : WarpRows {
  CrossEntropyBackward p;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= p.rows) return;
    const float share = p.dloss[0] / static_cast<float>(p.rows);
    double mass = 0;
    for (int64_t i = lane(); i < p.classes; i += kWarpSize) mass += p.targets[r * p.classes + i];
    mass = warp_sum(mass);
    for (int64_t i = lane(); i < p.classes; i += kWarpSize) {
      const int64_t at = r * p.classes + i;
      p.dlogits[at] = share * (p.probabilities[at] * static_cast<float>(mass) - p.targets[at]);
    }
  }
};

}  // namespace

void cross_entropy_forward(const CrossEntropyForward& p) {
  const Workspace<double> losses(p.rows);
  launch_rows(p.rows, Rows{{}, p, losses.data()});
  launch({1}, Mean{{}, losses.data(), p.rows, p.loss});
}

void cross_entropy_backward(const CrossEntropyBackward& p) { launch_rows(p.rows, Backward{{}, p}); }

}  // namespace morphmlp::cuda
