// Exports GPU properties, the timer, the cache flush, GEMM backends and recorded graphs.
#pragma once
#include "node/node_api.h"

namespace morphmlp {
void export_cuda(Napi::Env env, Napi::Object exports);
}
