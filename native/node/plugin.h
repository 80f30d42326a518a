// The addon's exports for kernels out of other libraries: pluginOpen, pluginNaive, pluginRun.
#pragma once
#include "node/node_api.h"

namespace morphmlp {

void export_plugins(Napi::Env env, Napi::Object exports);

}  // namespace morphmlp
