// Written by tools/build/generate_kernels.cjs from native/ops/*.def: do not edit.
#pragma once
#define OP_DEF "ops/pixel_cross_entropy.def"
#include "ops/structs.h"
