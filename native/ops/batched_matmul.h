// Written by tools/build/generate_kernels.cjs from native/ops/*.def: do not edit.
#pragma once
#define OP_DEF "ops/batched_matmul.def"
#include "ops/structs.h"
