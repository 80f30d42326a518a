// The argument structs of all kernels, for the tables made from ops.def.
#pragma once
#include "kernels/accumulate.h"
#include "kernels/layer_norm.h"
#include "kernels/non_finite.h"
