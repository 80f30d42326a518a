// Written by tools/build/generate_kernels.cjs from native/ops/*.def: do not edit.
#pragma once
#include "ops/temporal_fc.h"
#define OP_DEF "ops/norm_temporal.def"
#include "ops/structs.h"
