// Runs: kernel calls that JavaScript recorded, executed in their order on a thread beside the event loop.
#pragma once
#include "node/node_api.h"

namespace morphmlp {

// runPrepare(steps, made), runStart(run), runCancel(run), runStop(run): see Addon in src/core/native.ts.
// Whether a run of any environment of this process is on its thread.
bool run_executes();

void export_runs(Napi::Env env, Napi::Object exports);

}  // namespace morphmlp
