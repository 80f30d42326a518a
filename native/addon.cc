// The addon's entry: exports the runtime functions and one function for every kernel of ops.def.
#include "bindings/node_api.h"

#include "bindings/args.h"
#include "bindings/cuda.h"
#include "bindings/plugin.h"
#include "bindings/runtime.h"
#include "kernels/kernels.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"

namespace morphmlp {
namespace {

// Reads the arguments, picks the kernel of their device, runs it unless there is nothing to write. Any C++ exception
// becomes a JavaScript Error that begins with the kernel's name.
template <class T>
Napi::Value call(const Napi::CallbackInfo& info, const char* name, void (*Kernels::*kernel)(const T&)) {
  try {
    Args args(info);
    const T arguments = read<T>(args);
    args.finish();
    const Kernels& kernels = kernels_for(args.device());
    if (args.device() == Device::cuda) cuda::begin(name);
    if (args.writes()) (kernels.*kernel)(arguments);
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), std::string(name) + ": " + error.what());
  }
  return info.Env().Undefined();
}

void export_kernels(Napi::Env env, Napi::Object table) {
#define K(name, T)                      \
  table.Set(#name, Napi::Function::New( \
                       env, [](const Napi::CallbackInfo& i) { return call<T>(i, #name, &Kernels::name); }, #name));
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  export_runtime(env, exports);
  export_cuda(env, exports);
  export_plugins(env, exports);
  Napi::Object table = Napi::Object::New(env);
  export_kernels(env, table);
  exports.Set("kernels", table);
  return exports;
}

}  // namespace
}  // namespace morphmlp

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return morphmlp::init(env, exports); }
NODE_API_MODULE(morphmlp, Init)
