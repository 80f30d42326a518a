#include "baselines/naive_kernels.h"

#include <math.h>

#include <cstring>

#include "morphmlp_each.h"

// Each file is the complete source of a plugin. Here each is included in its own namespace, with its own entry
// function.
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_gelu
namespace gelu {
#include "baselines/naive/gelu.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_layer_norm
namespace layer_norm {
#include "baselines/naive/layer_norm.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_linear
namespace linear {
#include "baselines/naive/linear.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_morph_fc
namespace morph_fc {
#include "baselines/naive/morph_fc.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_temporal_fc
namespace temporal_fc {
#include "baselines/naive/temporal_fc.cc"
}

// The fused ops: the starters of `kernel new` with a naive matrix product.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"
static int32_t naive_gemm(const morphmlp_call* call, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a,
                          const float* b, float* c) {
  return morphmlp_each(call, m * n, morphmlp_gemm_element{{ta, tb, m, n, k, a, b, c}});
}
#define morphmlp_gemm naive_gemm
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_norm_mlp
namespace norm_mlp {
#include "baselines/starter/norm_mlp.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_norm_temporal
namespace norm_temporal {
#include "baselines/starter/norm_temporal.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_norm_spatial
namespace norm_spatial {
#include "baselines/starter/norm_spatial.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_conv3d
namespace conv3d {
#include "baselines/starter/conv3d.cc"
}
#undef morphmlp_gemm

namespace morphmlp {

const morphmlp_kernel* naive_kernel(const std::string& op) {
  for (const auto entry : {gelu::naive_gelu, layer_norm::naive_layer_norm, linear::naive_linear,
                           morph_fc::naive_morph_fc, temporal_fc::naive_temporal_fc, norm_mlp::naive_norm_mlp,
                           norm_temporal::naive_norm_temporal, norm_spatial::naive_norm_spatial, conv3d::naive_conv3d})
    if (op == entry()->op) return entry();
  return nullptr;
}

}  // namespace morphmlp
