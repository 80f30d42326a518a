#include "node/plugin.h"

#include <dlfcn.h>

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "baselines/blas_kernels.h"
#include "baselines/naive_kernels.h"
#include "bindings/args.h"
#include "node/js_arguments.h"
#include "node/plugin_contract.h"
#include "runtime/cuda.h"
#include "runtime/error.h"
#include "runtime/guard_pages.h"
#include "runtime/guard_zones.h"
#include "runtime/threads.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;

const napi_type_tag kPluginTag = {0x6d6f7270686d6c70ULL, 0x706c7567696e3031ULL};

// Owns the names, shapes and buffers that the tensors of a call point to.
struct Operands {
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> shapes, strides;
  std::vector<std::shared_ptr<Buffer>> buffers;
  std::vector<morphmlp_tensor> tensors;
};

std::string text(const Napi::Value& value, const char* what) {
  if (!value.IsString()) fail(std::string(what) + ": expected a string, got " + describe(value));
  return value.As<Napi::String>();
}

Napi::Array array(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) fail(std::string(what) + ": expected an array, got " + describe(value));
  return value.As<Napi::Array>();
}

double number(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) fail(std::string(what) + ": expected a number, got " + describe(value));
  return value.As<Napi::Number>().DoubleValue();
}

std::vector<int64_t> shape_of(const Napi::Value& value) {
  const Napi::Array sizes = array(value, "shape");
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < sizes.Length(); ++i) {
    const double size = number(sizes[i], "shape");
    if (!(size >= 0 && size <= 9007199254740992.0) || size != std::floor(size))
      fail("shape: expected whole numbers of 0 or more, got " + std::to_string(size));
    shape.push_back(static_cast<int64_t>(size));
  }
  return shape;
}

std::vector<int64_t> strides_of(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Device device_of(const morphmlp_kernel& kernel) { return kernel.device == MORPHMLP_CUDA ? Device::cuda : Device::cpu; }

// The buffer of a handle; throws unless it is f32 or bf16, on the device, and has `length` elements. nullptr for null.
std::shared_ptr<Buffer> buffer_of(const Napi::Value& value, const std::string& name, int64_t length, Device device) {
  if (value.IsNull()) return nullptr;
  const Handle* handle = handle_from(value);
  if (!handle || !handle->buffer) fail(name + ": expected a live buffer, got " + describe(value));
  const Buffer& b = *handle->buffer;
  if ((b.dtype != DType::f32 && b.dtype != DType::bf16) || b.device != device || b.length != length)
    fail(name + ": expected " + std::to_string(length) + " x f32 or bf16 on " + device_name(device) + ", got " +
         std::to_string(b.length) + " x " + dtype_name(b.dtype) + " on " + device_name(b.device));
  return handle->buffer;
}

// Reads [name, shape, handle or null] of each tensor.
Operands operands(const Napi::Value& value, Device device) {
  const Napi::Array list = array(value, "tensors");
  Operands out;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Array item = array(list[i], "tensor");
    out.names.push_back(text(item[0u], "name"));
    out.shapes.push_back(shape_of(item[1u]));
    out.strides.push_back(strides_of(out.shapes.back()));
    int64_t length = 1;
    for (int64_t size : out.shapes.back()) length = count({length, size});
    out.buffers.push_back(buffer_of(item[2u], out.names.back(), length, device));
  }
  for (size_t i = 0; i < out.names.size(); ++i)
    out.tensors.push_back({out.names[i].c_str(), out.buffers[i] ? out.buffers[i]->data : nullptr,
                           out.buffers[i] && out.buffers[i]->dtype == DType::bf16 ? MORPHMLP_BF16 : MORPHMLP_F32,
                           static_cast<int32_t>(out.shapes[i].size()), out.shapes[i].data(), out.strides[i].data()});
  return out;
}

// Workspace of a call on the kernel's device, with guards if they are enabled.
struct Workspace {
  Workspace(size_t bytes, Device device) {
    if (bytes) block.emplace(DType::u8, device, static_cast<int64_t>(bytes));
  }
  void* data() const { return block ? block->data : nullptr; }
  size_t bytes() const { return block ? block->bytes() : 0; }

  std::optional<Buffer> block;
};

const morphmlp_kernel& kernel_of(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kPluginTag, &tagged);
  if (!tagged) fail("plugin: expected a plugin of pluginOpen, got " + describe(value));
  return *value.As<Napi::External<morphmlp_kernel>>().Data();
}

void check_damage(const void* data, const std::string& what) {
  const std::string host = guarded_damage(data), damage = host.empty() ? zoned_damage(data) : host;
  if (!damage.empty()) fail(damage + " its " + what);
}

void check_memory(const Operands& in, const Operands& out, const Workspace& workspace) {
  for (const morphmlp_tensor& t : in.tensors) check_damage(t.data, std::string("tensor ") + t.name);
  for (const morphmlp_tensor& t : out.tensors) check_damage(t.data, std::string("tensor ") + t.name);
  check_damage(workspace.data(), "workspace of " + std::to_string(workspace.bytes()) + " bytes");
}

// Counts the writes of a call whose outputs overlap nothing.
void count_writes(const Operands& in, const Operands& out) {
  std::vector<Given> all;
  for (size_t i = 0; i < in.buffers.size(); ++i) all.push_back({in.buffers[i], in.names[i].c_str(), false, false});
  for (size_t i = 0; i < out.buffers.size(); ++i) all.push_back({out.buffers[i], out.names[i].c_str(), true, false});
  refuse_overlaps(all);
  for (const Given& given : all)
    if (given.buffer) expect_idle(*given.buffer, given.name, given.written);
  for (const auto& buffer : out.buffers)
    if (buffer) ++buffer->version;
}

struct Attributes {
  std::vector<std::string> names;
  std::vector<morphmlp_attribute> list;
};

// Reads [name, value] of each attribute.
Attributes attributes_of(const Napi::Value& value) {
  const Napi::Array pairs = array(value, "attributes");
  Attributes out;
  for (uint32_t i = 0; i < pairs.Length(); ++i)
    out.names.push_back(text(array(pairs[i], "attribute")[0u], "attribute"));
  for (uint32_t i = 0; i < pairs.Length(); ++i)
    out.list.push_back({out.names[i].c_str(), number(array(pairs[i], "attribute")[1u], "attribute")});
  return out;
}

morphmlp_call call_of(const morphmlp_kernel& kernel, const Attributes& attributes, const Operands& in,
                      const Operands& out) {
  morphmlp_call call{};
  call.size = sizeof call;
  call.op = kernel.op;
  call.inputs = in.tensors.data();
  call.outputs = out.tensors.data();
  call.attributes = attributes.list.data();
  call.input_count = static_cast<int32_t>(in.tensors.size());
  call.output_count = static_cast<int32_t>(out.tensors.size());
  call.attribute_count = static_cast<int32_t>(attributes.list.size());
  call.device = kernel.device;
  call.threads = thread_count();
  if (device_of(kernel) == Device::cuda)
    call.stream = cuda::native_stream();
  else
    call.parallel = run_tasks;
  return call;
}

// On a GPU, faults are reported asynchronously: their messages contain the name set here.
int32_t run_body(const morphmlp_kernel& kernel, int32_t (*body)(const morphmlp_call*), const morphmlp_call& call) {
  if (device_of(kernel) == Device::cpu) return body(&call);
  cuda::begin(kernel.name ? kernel.name : kernel.op);
  const int32_t status = body(&call);
  cuda::launched();
  return status;
}

// pluginRun(plugin, backward, [[attribute, value]], inputs, outputs)
Napi::Value run(const Info& info) {
  const morphmlp_kernel& kernel = kernel_of(info[0]);
  const bool backward = info[1].ToBoolean().Value();
  const auto body = backward ? kernel.backward : kernel.forward;
  if (!body) fail("it has no backward");
  const Attributes attributes = attributes_of(info[2]);
  const Device device = device_of(kernel);
  const Operands in = operands(info[3], device), out = operands(info[4], device);
  std::array<char, 512> message{};
  morphmlp_call call = call_of(kernel, attributes, in, out);
  check_plugin_call(call, kernel, backward);
  count_writes(in, out);
  call.message = message.data();
  call.message_bytes = message.size();
  const Workspace workspace(kernel.workspace ? kernel.workspace(&call, backward) : 0, device);
  call.workspace = workspace.data();
  call.workspace_bytes = workspace.bytes();
  const int32_t status = run_body(kernel, body, call);
  message.back() = 0;
  check_memory(in, out, workspace);
  if (status == MORPHMLP_OK) return info.Env().Undefined();
  const std::string reason = message[0] ? message.data() : "status " + std::to_string(status);
  fail((status == MORPHMLP_UNSUPPORTED ? "unsupported: " : "") + reason);
}

// What version 1 of the header lacks: types of activations, and tuning parameters.
void describe_since_2(Napi::Env env, Napi::Object out, const morphmlp_kernel& kernel) {
  const bool has = kernel.abi >= 2;
  const int32_t takes = has && kernel.dtypes ? kernel.dtypes : static_cast<int32_t>(MORPHMLP_TAKES_F32);
  Napi::Array dtypes = Napi::Array::New(env), parameters = Napi::Array::New(env);
  if (takes & MORPHMLP_TAKES_F32) dtypes.Set(dtypes.Length(), "f32");
  if (takes & MORPHMLP_TAKES_BF16) dtypes.Set(dtypes.Length(), "bf16");
  for (int32_t i = 0; has && i < kernel.parameter_count; ++i) {
    const morphmlp_parameter& p = kernel.parameters[i];
    if (!p.name || !*p.name || p.count < 1 || !p.values)
      fail("its parameter " + std::to_string(i) + " lacks a name or values");
    Napi::Array values = Napi::Array::New(env);
    for (int32_t v = 0; v < p.count; ++v) values.Set(values.Length(), p.values[v]);
    Napi::Object one = Napi::Object::New(env);
    one.Set("name", p.name);
    one.Set("values", values);
    parameters.Set(parameters.Length(), one);
  }
  out.Set("dtypes", dtypes);
  out.Set("parameters", parameters);
}

Napi::Value described(Napi::Env env, const morphmlp_kernel* kernel) {
  if (kernel->abi != MORPHMLP_KERNEL_ABI && kernel->abi != 1)
    fail("it was built for version " + std::to_string(kernel->abi) +
         " of morphmlp_kernel.h; this program has version " + std::to_string(MORPHMLP_KERNEL_ABI));
  if (!kernel->op || !kernel->forward) fail("its description lacks an op or a forward");
  Napi::Object out = Napi::Object::New(env);
  describe_since_2(env, out, *kernel);
  auto external = Napi::External<morphmlp_kernel>::New(env, const_cast<morphmlp_kernel*>(kernel));
  napi_type_tag_object(env, external, &kPluginTag);
  out.Set("plugin", external);
  out.Set("op", kernel->op);
  out.Set("name", kernel->name ? kernel->name : "");
  out.Set("flags", kernel->flags ? kernel->flags : "");
  out.Set("device", kernel->device == MORPHMLP_CUDA ? "cuda" : "cpu");
  out.Set("backward", kernel->backward != nullptr);
  return out;
}

// pluginOpen(path). The library stays loaded, because its code may run on the thread pool.
Napi::Value open(const Info& info) {
  const std::string path = text(info[0], "path");
  dlerror();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  const char* why = library ? nullptr : dlerror();
  if (!library) fail(why ? why : "it cannot be loaded");
  const auto entry = reinterpret_cast<morphmlp_kernel_entry_function>(dlsym(library, "morphmlp_kernel_entry"));
  if (!entry) fail("it does not export morphmlp_kernel_entry (see morphmlp_kernel.h)");
  const morphmlp_kernel* kernel = entry();
  if (!kernel) fail("morphmlp_kernel_entry returned null");
  return described(info.Env(), kernel);
}

// pluginNaive(op, device): the naive kernel, or null if the op has none.
Napi::Value naive(const Info& info) {
  const std::string op = text(info[0], "op");
  const Device device = device_from(text(info[1], "device"));
  const morphmlp_kernel* kernel = device == Device::cpu ? naive_kernel(op) : cuda::naive_kernel(op);
  return kernel ? described(info.Env(), kernel) : info.Env().Null();
}

// pluginBlas(op, device): the kernels of the BLAS libraries on this machine; empty unless the op is an FC.
Napi::Value blas(const Info& info) {
  const std::string op = text(info[0], "op");
  Napi::Array out = Napi::Array::New(info.Env());
  if (device_from(text(info[1], "device")) == Device::cuda) {
    if (const morphmlp_kernel* kernel = cuda::blas_kernel(op)) out.Set(0u, described(info.Env(), kernel));
    return out;
  }
  for (const std::string& library : blas_libraries())
    if (const morphmlp_kernel* kernel = blas_kernel(op, library)) out.Set(out.Length(), described(info.Env(), kernel));
  return out;
}

template <Napi::Value (*body)(const Info&)>
Napi::Value caught(const Info& info) {
  try {
    return body(info);
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  } catch (...) {
    throw Napi::Error::New(info.Env(), "it threw something that is not a std::exception");
  }
}

}  // namespace

void export_plugins(Napi::Env env, Napi::Object exports) {
  exports.Set("pluginOpen", Napi::Function::New(env, caught<open>, "pluginOpen"));
  exports.Set("pluginNaive", Napi::Function::New(env, caught<naive>, "pluginNaive"));
  exports.Set("pluginBlas", Napi::Function::New(env, caught<blas>, "pluginBlas"));
  exports.Set("pluginRun", Napi::Function::New(env, caught<run>, "pluginRun"));
}

}  // namespace morphmlp
