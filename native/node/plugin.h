// Exports for plugins, that is, kernels of other libraries: pluginOpen, pluginNaive, pluginBlas, pluginRun.
#pragma once
#include "node/node_api.h"

namespace morphmlp {

void export_plugins(Napi::Env env, Napi::Object exports);

}  // namespace morphmlp
