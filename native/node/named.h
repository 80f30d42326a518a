// Functions of the addon's exports by name.
#pragma once
#include "node/node_api.h"

#include <string>

namespace morphmlp {

// Adds a function to the exports. Its data is its name, which `named` reads.
inline void add_function(Napi::Env env, Napi::Object& exports, const char* name,
                         Napi::Value (*function)(const Napi::CallbackInfo&)) {
  exports.Set(name, Napi::Function::New(env, function, name, const_cast<char*>(name)));
}

// Prefixes C++ exceptions with the name of the function; JavaScript exceptions pass unchanged.
template <Napi::Value (*body)(const Napi::CallbackInfo&)>
Napi::Value named(const Napi::CallbackInfo& info) {
  try {
    return body(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), std::string(static_cast<const char*>(info.Data())) + ": " + error.what());
  }
}

}  // namespace morphmlp
