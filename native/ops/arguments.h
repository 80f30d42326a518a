// What the argument structs of kernels (structs.h) are made of.
#pragma once
#include <cstdint>
#include <vector>

#include "ops/bf16.h"
#include "runtime/buffer.h"

namespace morphmlp {

constexpr int kMaxBranches = 3;  // the tensors of an EACH

}  // namespace morphmlp
