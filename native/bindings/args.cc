#include "bindings/args.h"

#include <algorithm>
#include <cmath>

#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp {

const napi_type_tag kHandleTag = {0x6d6f7270686d6c70ULL, 0x68616e646c653031ULL};

namespace {

constexpr double kMaxInteger = 9007199254740992.0;

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

std::string joined(std::initializer_list<int64_t> sizes) {
  std::string out;
  for (int64_t s : sizes) out += (out.empty() ? "" : " x ") + std::to_string(s);
  return out;
}

std::string describe(const Buffer& b) {
  return std::to_string(b.length) + " x " + dtype_name(b.dtype) + " on " + device_name(b.device);
}

}  // namespace

Handle* handle_from(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kHandleTag, &tagged);
  return tagged ? value.As<Napi::External<Handle>>().Data() : nullptr;
}

std::string describe(const Napi::Value& value) {
  if (value.IsNumber()) return "the number " + value.ToString().Utf8Value();
  if (value.IsArray()) return "an array of " + std::to_string(value.As<Napi::Array>().Length());
  return handle_from(value) ? "a buffer" : type_name(value.Type());
}

bool Args::any_bf16() const {
  for (size_t i = 0; i < info_.Length(); ++i) {
    const Handle* handle = handle_from(info_[i]);
    if (handle && handle->buffer && handle->buffer->dtype == DType::bf16) return true;
  }
  return false;
}

void Args::reject(const std::string& what) const { fail(what); }

void Args::bad(const char* name, const std::string& expected, const std::string& got) const {
  reject(std::string("argument ") + name + ": expected " + expected + ", got " + got);
}

void Args::finish() const {
  if (position_ != info_.Length())
    reject("expected " + std::to_string(position_) + " arguments, got " + std::to_string(info_.Length()));
}

Napi::Value Args::next(const char* name) {
  if (position_ >= info_.Length()) bad(name, "a value", "nothing: too few arguments");
  return info_[position_++];
}

int64_t Args::integer(const char* name) {
  const Napi::Value value = next(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(std::fabs(number) <= kMaxInteger) || number != std::floor(number)) bad(name, "an integer", describe(value));
  return static_cast<int64_t>(number);
}

int64_t Args::size(const char* name) {
  const int64_t value = integer(name);
  if (value < 0) bad(name, "a size of 0 or more", std::to_string(value));
  return value;
}

float Args::real(const char* name) {
  const Napi::Value value = next(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (std::isnan(number)) bad(name, "a number", describe(value));
  return static_cast<float>(number);
}

bool Args::flag(const char* name) {
  const Napi::Value value = next(name);
  if (!value.IsBoolean()) bad(name, "true or false", describe(value));
  return value.As<Napi::Boolean>().Value();
}

Buffer* Args::buffer(const char* name, int64_t length, DType dtype, bool optional) {
  const Napi::Value value = next(name);
  return optional && value.IsNull() ? nullptr : check(name, value, length, dtype);
}

Buffer* Args::check(const char* name, const Napi::Value& value, int64_t length, DType dtype) {
  const Handle* handle = handle_from(value);
  const std::string wanted = std::to_string(length) + " x " + dtype_name(dtype);
  if (!handle) bad(name, wanted, describe(value));
  Buffer* b = handle->buffer.get();
  if (!b) bad(name, wanted, "a freed buffer");
  if (b->length != length || b->dtype != dtype) bad(name, wanted, describe(*b));
  if (device_ && *device_ != b->device) bad(name, std::string("a buffer on ") + device_name(*device_), describe(*b));
  device_ = b->device;
  held_.push_back(handle->buffer);
  return b;
}

Buffer* Args::written(Buffer* b) {
  if (!b) return nullptr;
  ++b->version;
  writes_ = writes_ || b->length > 0;
  return b;
}

std::vector<int64_t> Args::lengths(const char* name) {
  const Napi::Value value = next(name);
  if (!value.IsArray()) bad(name, "an array of buffers", describe(value));
  --position_;
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<int64_t> out;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array[i];
    const Handle* handle = handle_from(item);
    if (!handle || !handle->buffer) bad(name, "live buffers", handle ? "a freed buffer" : describe(item));
    out.push_back(handle->buffer->length);
  }
  return out;
}

std::vector<Buffer*> Args::list(const char* name, const std::vector<int64_t>& lengths) {
  const Napi::Value value = next(name);
  const bool fits = value.IsArray() && value.As<Napi::Array>().Length() == lengths.size();
  if (!fits) bad(name, "an array of " + std::to_string(lengths.size()) + " buffers", describe(value));
  std::vector<Buffer*> out;
  for (uint32_t i = 0; i < lengths.size(); ++i)
    out.push_back(check(name, value.As<Napi::Array>().Get(i), lengths[i], DType::f32));
  return out;
}

std::vector<const float*> Args::in_list(const char* name, const std::vector<int64_t>& lengths) {
  std::vector<const float*> out;
  for (Buffer* b : list(name, lengths)) out.push_back(static_cast<const float*>(b->data));
  return out;
}

std::vector<float*> Args::out_list(const char* name, const std::vector<int64_t>& lengths) {
  std::vector<float*> out;
  for (Buffer* b : list(name, lengths)) out.push_back(static_cast<float*>(written(b)->data));
  return out;
}

Buffer* Args::in_buffer(const char* name, int64_t length) { return buffer(name, length, DType::f32, false); }

const int32_t* Args::in_i32(const char* name, int64_t length) {
  return static_cast<const int32_t*>(buffer(name, length, DType::i32, false)->data);
}

const uint8_t* Args::in_u8(const char* name, int64_t length) {
  return static_cast<const uint8_t*>(buffer(name, length, DType::u8, false)->data);
}

int32_t* Args::out_i32(const char* name, int64_t length) {
  return static_cast<int32_t*>(written(buffer(name, length, DType::i32, false))->data);
}

void check_index(const Args& args, const int32_t* given, int64_t n, int64_t rows) {
  std::vector<int32_t> copy;
  const int32_t* index = given;
  if (args.device() == Device::cuda && n > 0) {
    copy.resize(static_cast<size_t>(n));
    cuda::download(copy.data(), given, copy.size() * sizeof(int32_t));
    index = copy.data();
  }
  for (int64_t i = 0; i < n; ++i)
    if (index[i] < 0 || index[i] >= rows)
      args.reject("index " + std::to_string(index[i]) + " at position " + std::to_string(i) + " is outside 0 to " +
                  std::to_string(rows - 1));
}

int64_t count(std::initializer_list<int64_t> sizes) {
  double product = 1;
  bool empty = false;
  for (int64_t s : sizes) {
    product *= static_cast<double>(std::max<int64_t>(1, s));
    empty = empty || s == 0;
  }
  if (product > kMaxInteger) fail("sizes: expected at most 2^53 elements, got " + joined(sizes));
  return empty ? 0 : static_cast<int64_t>(product);
}

}  // namespace morphmlp
