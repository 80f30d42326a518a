#include "node/js_arguments.h"

namespace morphmlp {

namespace {

const char* type_name(napi_valuetype type) {
  switch (type) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_string:
      return "a string";
    case napi_symbol:
      return "a symbol";
    case napi_bigint:
      return "a bigint";
    case napi_function:
      return "a function";
    case napi_external:
      return "a foreign handle";
    default:
      return "an object";
  }
}

}  // namespace

Argument argument_from(const Napi::Value& value) {
  using Kind = Argument::Kind;
  if (value.IsNumber()) return {Kind::number, value.As<Napi::Number>().DoubleValue(), 0, nullptr, ""};
  if (value.IsBoolean()) return {Kind::flag, value.As<Napi::Boolean>().Value() ? 1.0 : 0.0, 0, nullptr, ""};
  if (value.IsNull()) return {Kind::null, 0, 0, nullptr, ""};
  if (const Handle* handle = handle_from(value)) return {Kind::buffer, 0, 0, handle->buffer, ""};
  if (value.IsArray()) return {Kind::list, 0, value.As<Napi::Array>().Length(), nullptr, ""};
  return {Kind::other, 0, 0, nullptr, type_name(value.Type())};
}

std::string describe(const Napi::Value& value) {
  if (value.IsNumber()) return "the number " + value.ToString().Utf8Value();
  if (value.IsArray()) return "an array of " + std::to_string(value.As<Napi::Array>().Length());
  return handle_from(value) ? "a buffer" : type_name(value.Type());
}

Argument JsArguments::at(size_t i, const char*) const { return argument_from(info_[i]); }

Argument JsArguments::item(size_t i, size_t in_list) const {
  return argument_from(info_[i].As<Napi::Array>().Get(static_cast<uint32_t>(in_list)));
}

bool JsArguments::any_bf16() const {
  for (size_t i = 0; i < info_.Length(); ++i) {
    const Handle* handle = handle_from(info_[i]);
    if (handle && handle->buffer && handle->buffer->dtype == DType::bf16) return true;
  }
  return false;
}

}  // namespace morphmlp
