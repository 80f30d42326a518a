#include "node/comm.h"

#include "node/js_arguments.h"
#include "node/named.h"
#include "runtime/comm.h"
#include "runtime/error.h"
#include "runtime/mpi.h"
#include "runtime/nccl.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;

std::string text_of(const Napi::Value& value, const char* name) {
  if (!value.IsString()) fail(std::string(name) + ": expected a string, got " + describe(value));
  return value.As<Napi::String>();
}

double number_of(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) fail(std::string(name) + ": expected a number, got " + describe(value));
  return value.As<Napi::Number>().DoubleValue();
}

struct Bytes {
  void* data = nullptr;
  size_t count = 0;
};

Bytes bytes_of(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray()) fail(std::string(name) + ": expected a typed array, got " + describe(value));
  Bytes bytes;
  napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &bytes.data, nullptr, nullptr);
  bytes.count = value.As<Napi::TypedArray>().ByteLength();
  return bytes;
}

Napi::Value numbers(Napi::Env env, const comm::Late& ranks) {
  Napi::Array out = Napi::Array::New(env, ranks.size());
  for (uint32_t i = 0; i < ranks.size(); ++i) out.Set(i, ranks[i]);
  return out;
}

// A list of f32 buffers. Where `optional`, one may be null.
std::vector<std::shared_ptr<Buffer>> tensors_of(const Napi::Value& value, const char* name, bool optional,
                                                bool written) {
  if (!value.IsArray()) fail(std::string(name) + ": expected a list of buffers, got " + describe(value));
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<std::shared_ptr<Buffer>> out;
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value item = list.Get(i);
    if (optional && item.IsNull()) {
      out.push_back(nullptr);
      continue;
    }
    Handle* handle = handle_from(item);
    if (!handle || !handle->buffer) fail(std::string(name) + ": expected a live buffer, got " + describe(item));
    if (handle->buffer->dtype != DType::f32) fail(std::string(name) + ": expected an f32 buffer");
    expect_idle(*handle->buffer, name, written);
    out.push_back(handle->buffer);
  }
  return out;
}

Napi::Value describe_library(const Info& info) {
  return Napi::String::New(info.Env(), describe_mpi(text_of(info[0], "library")));
}

Napi::Value describe_nccl(const Info& info) {
  return Napi::String::New(info.Env(), load_nccl(text_of(info[0], "library")).version);
}

Napi::Value object_of(Napi::Env env, const comm::World& world) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("rank", world.rank);
  out.Set("size", world.size);
  out.Set("name", world.name);
  return out;
}

// commInitMpi(library, timeout in seconds)
Napi::Value init_mpi(const Info& info) {
  return object_of(info.Env(), comm::init_mpi(text_of(info[0], "library"), number_of(info[1], "timeout")));
}

// commInitTcp(host, port, rank, size, timeout in seconds)
Napi::Value init_tcp(const Info& info) {
  Rendezvous at;
  at.host = text_of(info[0], "host");
  at.port = static_cast<int>(number_of(info[1], "port"));
  at.rank = static_cast<int>(number_of(info[2], "rank"));
  at.size = static_cast<int>(number_of(info[3], "size"));
  return object_of(info.Env(), comm::init_tcp(at, number_of(info[4], "timeout")));
}

// commUseNccl(library)
Napi::Value use_nccl(const Info& info) { return numbers(info.Env(), comm::use_nccl(text_of(info[0], "library"))); }

// commGather(from, into, ranks): `into` has the bytes of `from` for each rank.
Napi::Value gather(const Info& info) {
  const Bytes from = bytes_of(info[0], "from"), into = bytes_of(info[1], "into");
  if (into.count != from.count * static_cast<size_t>(number_of(info[2], "ranks")))
    fail("into: expected " + std::to_string(from.count) + " bytes for each rank, got " + std::to_string(into.count));
  return numbers(info.Env(), comm::all_gather(from.data, into.data, from.count));
}

// commBroadcast(bytes, root)
Napi::Value broadcast(const Info& info) {
  const Bytes bytes = bytes_of(info[0], "bytes");
  return numbers(info.Env(), comm::broadcast(bytes.data, bytes.count, static_cast<int>(number_of(info[1], "root"))));
}

// commReduce(slices, nodes, sums, fast): a number for commWait
Napi::Value reduce(const Info& info) {
  Reduction reduction;
  reduction.slices = static_cast<int64_t>(number_of(info[0], "slices"));
  if (!info[1].IsArray()) fail("nodes: expected a list, got " + describe(info[1]));
  const Napi::Array nodes = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < nodes.Length(); ++i)
    reduction.nodes.push_back(tensors_of(nodes.Get(i), "nodes", true, false));
  reduction.sums = tensors_of(info[2], "sums", false, true);
  reduction.fast = info[3].ToBoolean();
  for (const auto& sum : reduction.sums) ++sum->version;
  return Napi::Number::New(info.Env(), static_cast<double>(comm::reduce(std::move(reduction))));
}

Napi::Value wait(const Info& info) {
  return numbers(info.Env(), comm::wait(static_cast<int64_t>(number_of(info[0], "job"))));
}

Napi::Value traffic(const Info& info) {
  const comm::Traffic traffic = comm::traffic();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("bytes", traffic.bytes);
  out.Set("seconds", traffic.seconds);
  return out;
}

Napi::Value finalize(const Info& info) { return Napi::Boolean::New(info.Env(), comm::finalize()); }

Napi::Value abort(const Info& info) {
  comm::abort(static_cast<int>(number_of(info[0], "status")));
  return info.Env().Undefined();
}

}  // namespace

void export_comm(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    add_function(env, exports, name, function);
  };
  add("mpiDescribe", named<describe_library>);
  add("ncclDescribe", named<describe_nccl>);
  add("commInitMpi", named<init_mpi>);
  add("commInitTcp", named<init_tcp>);
  add("commUseNccl", named<use_nccl>);
  add("commGather", named<gather>);
  add("commBroadcast", named<broadcast>);
  add("commReduce", named<reduce>);
  add("commWait", named<wait>);
  add("commTraffic", named<traffic>);
  add("commFinalize", named<finalize>);
  add("commAbort", named<abort>);
}

}  // namespace morphmlp
