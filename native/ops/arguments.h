// Element and field types of the argument structs (structs.h).
#pragma once
#include <cstdint>
#include <vector>

#include "ops/bf16.h"
#include "runtime/buffer.h"

namespace morphmlp {

constexpr int kMaxBranches = 3;  // the tensors of an EACH

}  // namespace morphmlp
