#include "ops/index_rows.h"

#include "cuda/launch.h"

namespace morphmlp::cuda {
namespace {

struct Forward {
  IndexRowsForward p;
  __device__ void operator()(int64_t i) const { p.y[i] = p.x[p.index[i / p.width] * p.width + i % p.width]; }
};

// An index may repeat: each element of dx sums the rows that have its index, in order, without atomics.
struct Backward {
  IndexRowsBackward p;
  __device__ void operator()(int64_t i) const {
    const int64_t row = i / p.width, column = i % p.width;
    float sum = 0;
    for (int64_t t = 0; t < p.taken; ++t)
      if (p.index[t] == row) sum += p.dy[t * p.width + column];
    p.dx[i] = sum;
  }
};

}  // namespace

void index_rows_forward(const IndexRowsForward& p) { launch_each(p.taken * p.width, Forward{p}); }
void index_rows_backward(const IndexRowsBackward& p) { launch_each(p.rows * p.width, Backward{p}); }

}  // namespace morphmlp::cuda
