// Naive kernels of native/baselines/naive as plugins on the GPU: one thread for each output value.
#include <string>

#include "cuda/each_on_device.h"
#include "runtime/cuda.h"

// Each file is the complete source of a plugin. Here each is included in its own namespace, with its own entry
// function.
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_gelu_on_device
namespace gelu_on_device {
#include "baselines/naive/gelu.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_layer_norm_on_device
namespace layer_norm_on_device {
#include "baselines/naive/layer_norm.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_linear_on_device
namespace linear_on_device {
#include "baselines/naive/linear.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_morph_fc_on_device
namespace morph_fc_on_device {
#include "baselines/naive/morph_fc.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_temporal_fc_on_device
namespace temporal_fc_on_device {
#include "baselines/naive/temporal_fc.cc"
}

// The fused ops: the starters of `kernel new`, whose matrix product is naive on a GPU.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_norm_mlp_on_device
namespace norm_mlp_on_device {
#include "baselines/starter/norm_mlp.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_norm_temporal_on_device
namespace norm_temporal_on_device {
#include "baselines/starter/norm_temporal.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_norm_spatial_on_device
namespace norm_spatial_on_device {
#include "baselines/starter/norm_spatial.cc"
}
#undef MORPHMLP_KERNEL_ENTRY
#define MORPHMLP_KERNEL_ENTRY naive_conv3d_on_device
namespace conv3d_on_device {
#include "baselines/starter/conv3d.cc"
}

namespace morphmlp::cuda {

const morphmlp_kernel* naive_kernel(const std::string& op) {
  for (const auto entry :
       {gelu_on_device::naive_gelu_on_device, layer_norm_on_device::naive_layer_norm_on_device,
        linear_on_device::naive_linear_on_device, morph_fc_on_device::naive_morph_fc_on_device,
        temporal_fc_on_device::naive_temporal_fc_on_device, norm_mlp_on_device::naive_norm_mlp_on_device,
        norm_temporal_on_device::naive_norm_temporal_on_device, norm_spatial_on_device::naive_norm_spatial_on_device,
        conv3d_on_device::naive_conv3d_on_device})
    if (op == entry()->op) return entry();
  return nullptr;
}

}  // namespace morphmlp::cuda
