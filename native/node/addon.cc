// Entry of the addon: exports the runtime functions and one function per kernel of ops.def.
#include "node/node_api.h"

#include "bindings/table.h"
#include "node/comm.h"
#include "node/cuda.h"
#include "node/js_arguments.h"
#include "node/plugin.h"
#include "node/run.h"
#include "node/runtime.h"

namespace morphmlp {
namespace {

// Runs a kernel; C++ exceptions become JavaScript errors.
Napi::Value call(const Napi::CallbackInfo& info) {
  try {
    static_cast<const Callable*>(info.Data())->run(JsArguments(info));
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
  return info.Env().Undefined();
}

// Names of the kernels that accept bf16, for the check at load time.
Napi::Array bf16_names(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  for (const Callable& kernel : callables())
    if (kernel.bf16) names.Set(names.Length(), kernel.name);
  return names;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  export_runtime(env, exports);
  export_cuda(env, exports);
  export_comm(env, exports);
  export_plugins(env, exports);
  export_runs(env, exports);
  Napi::Object table = Napi::Object::New(env);
  for (const Callable& kernel : callables())
    table.Set(kernel.name, Napi::Function::New(env, call, kernel.name, const_cast<Callable*>(&kernel)));
  exports.Set("kernels", table);
  exports.Set("bf16Kernels", bf16_names(env));
  return exports;
}

}  // namespace
}  // namespace morphmlp

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return morphmlp::init(env, exports); }
NODE_API_MODULE(morphmlp, Init)
