// The arguments of a call from JavaScript.
#pragma once
#include "node/node_api.h"

#include <memory>
#include <string>

#include "bindings/source.h"

namespace morphmlp {

// What JavaScript holds: a shared buffer, or nothing once it was freed.
struct Handle {
  std::shared_ptr<Buffer> buffer;
};
extern const napi_type_tag kHandleTag;

// The handle behind a JavaScript value, or nullptr if it is none of ours.
Handle* handle_from(const Napi::Value& value);

// A value as error messages say it.
std::string describe(const Napi::Value& value);

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
