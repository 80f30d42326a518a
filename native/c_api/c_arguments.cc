#include "c_api/c_arguments.h"

#include <algorithm>
#include <cstring>

#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

using Kind = Argument::Kind;

constexpr int64_t kMaxInteger = int64_t{1} << 53;
constexpr size_t kCudaAlignment = 16;  // kernels load four floats, or eight bf16, at once

Argument other(std::string description) { return {Kind::other, 0, 0, nullptr, std::move(description)}; }

bool known_dtype(int32_t dtype) { return dtype >= MORPHMLP_F32 && dtype <= MORPHMLP_U8; }

// Reason why the argument is not a valid tensor; empty if it may be one.
std::string tensor_error(const morphmlp_argument& a) {
  if (a.integer < 0 || a.integer > kMaxInteger) return "a tensor of " + std::to_string(a.integer) + " elements";
  if (!known_dtype(a.dtype)) return "a tensor of the unknown dtype " + std::to_string(a.dtype);
  const Device device = device_from(a.device);
  if (a.integer == 0) return "";
  if (!a.data) return "a null pointer";
  const bool cuda = device == Device::cuda;
  const size_t alignment = cuda ? kCudaAlignment : dtype_bytes(static_cast<DType>(a.dtype));
  if (reinterpret_cast<uintptr_t>(a.data) % alignment != 0)
    return "a pointer that is not aligned to " + std::to_string(alignment) + " bytes";
  if (cuda && !cuda::is_device_memory(a.data)) return "a pointer that is not device memory";
  return "";
}

Argument tensor(const morphmlp_argument& a) {
  const std::string error = tensor_error(a);
  if (!error.empty()) return other(error);
  const auto dtype = static_cast<DType>(a.dtype);
  auto buffer = std::make_shared<Buffer>(dtype, device_from(a.device), a.integer, a.data);
  return {Kind::buffer, 0, 0, std::move(buffer), ""};
}

Argument list(const morphmlp_argument& a) {
  if (a.integer < 0 || a.integer > INT32_MAX) return other("a list of " + std::to_string(a.integer));
  if (a.integer > 0 && !a.data) return other("a null pointer");
  return {Kind::list, 0, static_cast<size_t>(a.integer), nullptr, ""};
}

Argument integer(const morphmlp_argument& a) {
  if (a.integer > kMaxInteger || a.integer < -kMaxInteger) return other("the number " + std::to_string(a.integer));
  return {Kind::number, static_cast<double>(a.integer), 0, nullptr, ""};
}

Argument flag(const morphmlp_argument& a) {
  if (a.integer != 0 && a.integer != 1) return other("the flag " + std::to_string(a.integer));
  return {Kind::flag, static_cast<double>(a.integer), 0, nullptr, ""};
}

Argument argument_from(const morphmlp_argument& a) {
  switch (a.kind) {
    case MORPHMLP_NONE:
      return {Kind::null, 0, 0, nullptr, ""};
    case MORPHMLP_INTEGER:
      return integer(a);
    case MORPHMLP_REAL:
      return {Kind::number, a.real, 0, nullptr, ""};
    case MORPHMLP_FLAG:
      return flag(a);
    case MORPHMLP_TENSOR:
      return tensor(a);
    case MORPHMLP_LIST:
      return list(a);
    default:
      return other("an argument of the unknown kind " + std::to_string(a.kind));
  }
}

const morphmlp_argument* items(const morphmlp_argument& a) { return static_cast<const morphmlp_argument*>(a.data); }

bool any_on_cuda(const morphmlp_argument* arguments, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const morphmlp_argument& a = arguments[i];
    if (a.kind == MORPHMLP_TENSOR && a.device == MORPHMLP_CUDA) return true;
    if (a.kind == MORPHMLP_LIST && a.data && a.integer > 0 && any_on_cuda(items(a), 1)) return true;
  }
  return false;
}

}  // namespace

Device device_from(int32_t device) {
  if (device == MORPHMLP_CPU) return Device::cpu;
  if (device == MORPHMLP_CUDA) return Device::cuda;
  fail("device " + std::to_string(device) + " is neither MORPHMLP_CPU nor MORPHMLP_CUDA");
}

CArguments::CArguments(const morphmlp_argument* arguments, int32_t count)
    : arguments_(arguments), count_(static_cast<size_t>(count)) {
  if (count < 0) fail("expected a number of arguments, got " + std::to_string(count));
  if (count > 0 && !arguments) fail("expected " + std::to_string(count) + " arguments, got a null pointer");
}

Argument CArguments::at(size_t i, const char* name) const {
  const char* given = arguments_[i].name;
  if (given && std::strcmp(given, name) != 0) return other(std::string("an argument named ") + given);
  return argument_from(arguments_[i]);
}

Argument CArguments::item(size_t i, size_t in_list) const {
  const morphmlp_argument& a = items(arguments_[i])[in_list];
  return a.kind == MORPHMLP_TENSOR ? tensor(a) : other("an item that is not a tensor");
}

bool CArguments::any_bf16() const {
  return std::any_of(arguments_, arguments_ + count_,
                     [](const morphmlp_argument& a) { return a.kind == MORPHMLP_TENSOR && a.dtype == MORPHMLP_BF16; });
}

bool CArguments::on_cuda() const { return any_on_cuda(arguments_, count_); }

}  // namespace morphmlp
