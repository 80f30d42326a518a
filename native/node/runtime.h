// Exports buffers, memory statistics, threads and instruction sets.
#pragma once
#include "node/node_api.h"

namespace morphmlp {
void export_runtime(Napi::Env env, Napi::Object exports);
}
