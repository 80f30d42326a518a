// What conv3d and conv_norm read and check alike.
#pragma once
#include "bindings/args.h"
#include "ops/conv3d.h"

namespace morphmlp {

Conv3dShape read_conv3d_shape(Args& a);

// The elements of its tensors.
int64_t conv3d_inputs(const Conv3dShape& at);
int64_t conv3d_outputs(const Conv3dShape& at);
int64_t conv3d_weights(const Conv3dShape& at);

}  // namespace morphmlp
