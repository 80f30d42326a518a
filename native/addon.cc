// The addon's entry: exports the runtime functions and one function for every kernel of ops.def.
#include "bindings/node_api.h"

#include "bindings/args.h"
#include "bindings/plugin.h"
#include "bindings/runtime.h"
#include "kernels/kernels.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

// Reads the arguments, picks the kernel of their device, runs it unless there is nothing to write.
template <class P, class Table>
void run(Args& args, const char* name, const Table* (*table)(Device), void (*Table::*kernel)(const P&)) {
  const P arguments = read<P>(args);
  args.finish();
  const Table* kernels = table(args.device());
  if (args.device() == Device::cuda) cuda::begin(name);
  if (args.writes()) (kernels->*kernel)(arguments);
}

const Kernels* f32_table(Device device) { return &kernels_for(device); }

const Bf16Kernels* bf16_table(Device device) {
  const Bf16Kernels* kernels = kernels_for(device).bf16;
  if (!kernels) fail(std::string("bf16 is computed on cuda alone, these tensors are on ") + device_name(device));
  return kernels;
}

// Any C++ exception becomes a JavaScript Error that begins with the kernel's name.
template <class Body>
Napi::Value guarded(const Napi::CallbackInfo& info, const char* name, const Body& body) {
  try {
    Args args(info);
    body(args);
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), std::string(name) + ": " + error.what());
  }
  return info.Env().Undefined();
}

template <class P>
Napi::Value call(const Napi::CallbackInfo& info, const char* name, void (*Kernels::*kernel)(const P&)) {
  return guarded(info, name, [&](Args& args) { run(args, name, f32_table, kernel); });
}

// A call with a bf16 buffer is one of the bf16 kernel: then all activations must be.
template <class P, class P16>
Napi::Value call(const Napi::CallbackInfo& info, const char* name, void (*Kernels::*kernel)(const P&),
                 void (*Bf16Kernels::*kernel16)(const P16&)) {
  return guarded(info, name, [&](Args& args) {
    if (args.any_bf16()) return run(args, name, bf16_table, kernel16);
    run(args, name, f32_table, kernel);
  });
}

#define K(name, P) \
  Napi::Value js_##name(const Napi::CallbackInfo& info) { return call(info, #name, &Kernels::name); }
#define KB(name, P)                                               \
  Napi::Value js_##name(const Napi::CallbackInfo& info) {         \
    return call(info, #name, &Kernels::name, &Bf16Kernels::name); \
  }
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K

void export_kernels(Napi::Env env, Napi::Object table) {
#define K(name, P) table.Set(#name, Napi::Function::New(env, js_##name, #name));
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K
}

// The names of the kernels that take bf16 too, for the load check.
Napi::Array bf16_names(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
#define K(name, P)
#define KB(name, P) names.Set(names.Length(), #name);
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K
  return names;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  export_runtime(env, exports);
  export_plugins(env, exports);
  Napi::Object table = Napi::Object::New(env);
  export_kernels(env, table);
  exports.Set("kernels", table);
  exports.Set("bf16Kernels", bf16_names(env));
  return exports;
}

}  // namespace
}  // namespace morphmlp

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return morphmlp::init(env, exports); }
NODE_API_MODULE(morphmlp, Init)
