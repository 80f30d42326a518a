// Exports what is not a kernel: buffers, memory counters, threads, instruction sets.
#pragma once
#include <napi.h>

namespace morphmlp {
void export_runtime(Napi::Env env, Napi::Object exports);
}
