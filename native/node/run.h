// Runs: kernel calls that JavaScript recorded, executed in their order on a thread beside the event loop.
#pragma once
#include "node/node_api.h"

#include <mutex>

namespace morphmlp {

// Held while a kernel reads its arguments and runs: one at a time, whichever thread calls it. A run lets waiting calls
// of the event loop go first. Recursive, since reading a list may run the caller's code.
std::unique_lock<std::recursive_mutex> take_turn();

// runPrepare(steps, made), runStart(run), runCancel(run): see Addon in src/core/native.ts.
void export_runs(Napi::Env env, Napi::Object exports);

}  // namespace morphmlp
