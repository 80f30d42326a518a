// The argument structs of all kernels, for the tables made from ops.def.
#pragma once
#include "kernels/accumulate.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/morph_fc.h"
#include "kernels/non_finite.h"
#include "kernels/norm_mlp.h"
#include "kernels/temporal_fc.h"
