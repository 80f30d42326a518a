// The arguments of a call from JavaScript.
#pragma once
#include "node/node_api.h"

#include <string>

#include "bindings/source.h"
#include "node/handles.h"

namespace morphmlp {

// Describes a value for error messages.
std::string describe(const Napi::Value& value);

// A value as an argument of a kernel; of a list only its length.
Argument argument_from(const Napi::Value& value);

class JsArguments : public Source {
 public:
  explicit JsArguments(const Napi::CallbackInfo& info) : info_(info) {}
  size_t count() const override { return info_.Length(); }
  Argument at(size_t i, const char* name) const override;
  Argument item(size_t i, size_t in_list) const override;
  bool any_bf16() const override;

 private:
  const Napi::CallbackInfo& info_;
};

}  // namespace morphmlp
