// The lists of cases by file; smoke.h's cases() joins them.
#pragma once
#include "test/smoke/smoke.h"

namespace morphmlp::smoke {

std::vector<Case> op_cases();     // elementwise, norms, FFMA, mma.sync, fused
std::vector<Case> wgmma_cases();  // products by TMA and wgmma, one width and orientation each
std::vector<Case> last_cases();   // what builds on all of them: whole ops by wgmma, graphs

}  // namespace morphmlp::smoke
