// Written by tools/build/generate_kernels.cjs from native/ops/*.def: do not edit.
#pragma once
#include "ops/conv3d.h"
#define OP_DEF "ops/conv_norm.def"
#include "ops/structs.h"
