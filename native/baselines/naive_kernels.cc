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

namespace morphmlp {

const morphmlp_kernel* naive_kernel(const std::string& op) {
  for (const auto entry : {gelu::naive_gelu, layer_norm::naive_layer_norm, linear::naive_linear,
                           morph_fc::naive_morph_fc, temporal_fc::naive_temporal_fc})
    if (op == entry()->op) return entry();
  return nullptr;
}

}  // namespace morphmlp
