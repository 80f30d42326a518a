#include "ops/topk.h"

#include "cuda/launch.h"
#include "ops/topk_column.h"

namespace morphmlp::cuda {
namespace {

struct Index {
  TopkIndex p;
  __device__ void operator()(int64_t column) const { topk_column(p, column); }
};

}  // namespace

void topk_index(const TopkIndex& p) { launch_each(p.outer * p.inner, Index{p}); }

}  // namespace morphmlp::cuda
