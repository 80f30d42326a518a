// Exports what benchmarks ask of a GPU: its facts, its timer, its cache, recorded graphs.
#pragma once
#include "node/node_api.h"

namespace morphmlp {
void export_cuda(Napi::Env env, Napi::Object exports);
}
