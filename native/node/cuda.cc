#include "node/cuda.h"

#include <memory>

#include "node/js_arguments.h"
#include "node/named.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

using Info = Napi::CallbackInfo;
using Recorded = std::unique_ptr<cuda::Graph>;

const napi_type_tag kGraphTag = {0x6d6f7270686d6c70ULL, 0x6772617068303031ULL};

Recorded& graph_of(const Napi::Value& value) {
  bool tagged = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kGraphTag, &tagged);
  if (!tagged) fail("graph: expected a graph of cudaRecord, got " + describe(value));
  return *value.As<Napi::External<Recorded>>().Data();
}

const Recorded& live_graph(const Napi::Value& value) {
  const Recorded& graph = graph_of(value);
  if (!graph) fail("graph: expected a live graph, got a freed one");
  return graph;
}

// cudaRecord(body[, graph]): records the launches of body, in the memory pool of `graph` if given.
Napi::Value record(const Info& info) {
  if (!info[0].IsFunction()) fail("body: expected a function, got " + describe(info[0]));
  const cuda::Graph* shared = info[1].IsUndefined() ? nullptr : live_graph(info[1]).get();
  auto graph = std::make_unique<Recorded>(cuda::record([&] { info[0].As<Napi::Function>().Call({}); }, shared));
  auto external = Napi::External<Recorded>::New(info.Env(), graph.get(), [](Napi::Env, Recorded* g) { delete g; });
  graph.release();  // now owned by the external
  napi_type_tag_object(info.Env(), external, &kGraphTag);
  return external;
}

Napi::Value replay(const Info& info) {
  live_graph(info[0])->replay();
  return info.Env().Undefined();
}

Napi::Value free_graph(const Info& info) {
  graph_of(info[0]).reset();
  return info.Env().Undefined();
}

const napi_type_tag kEventTag = {0x6d6f7270686d6c70ULL, 0x6576656e74303031ULL};

// cudaMark(): a point in the work queued so far, for cudaPassed.
Napi::Value mark(const Info& info) {
  auto event = cuda::mark();
  auto external =
      Napi::External<cuda::Event>::New(info.Env(), event.get(), [](Napi::Env, cuda::Event* e) { delete e; });
  event.release();  // now owned by the external
  napi_type_tag_object(info.Env(), external, &kEventTag);
  return external;
}

Napi::Value passed(const Info& info) {
  bool tagged = false;
  if (info[0].IsExternal()) napi_check_object_type_tag(info.Env(), info[0], &kEventTag, &tagged);
  if (!tagged) fail("event: expected one of cudaMark, got " + describe(info[0]));
  return Napi::Boolean::New(info.Env(), info[0].As<Napi::External<cuda::Event>>().Data()->passed());
}

template <void (*use)(const std::string&)>
Napi::Value use_named(const Info& info) {
  if (!info[0].IsString()) fail("name: expected a string, got " + describe(info[0]));
  use(info[0].As<Napi::String>());
  return info.Env().Undefined();
}

template <void (*body)()>
Napi::Value command(const Info& info) {
  body();
  return info.Env().Undefined();
}

template <double (*body)()>
Napi::Value figure(const Info& info) {
  return Napi::Number::New(info.Env(), body());
}

template <std::string (*body)()>
Napi::Value text(const Info& info) {
  return Napi::String::New(info.Env(), body());
}

Napi::Value facts(const Info& info) {
  const cuda::DeviceFacts f = cuda::device_facts();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("name", f.name);
  out.Set("architecture", f.architecture);
  out.Set("multiprocessors", f.multiprocessors);
  out.Set("clockMhz", f.clock_mhz);
  out.Set("memoryBytes", static_cast<double>(f.memory_bytes));
  out.Set("memoryClockMhz", f.memory_clock_mhz);
  out.Set("memoryBusBits", f.memory_bus_bits);
  out.Set("l2Bytes", static_cast<double>(f.l2_bytes));
  out.Set("driverCuda", f.driver);
  out.Set("runtimeCuda", f.runtime);
  return out;
}

// Without the prefix, for errors in user settings such as MORPHMLP_GEMM.
template <Napi::Value (*body)(const Info&)>
Napi::Value bare(const Info& info) {
  try {
    return body(info);
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

}  // namespace

void export_cuda(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    add_function(env, exports, name, function);
  };
  add("cudaStatus", named<text<cuda_status>>);
  add("cudaCompiled", named<text<cuda::compiled_for>>);
  add("cudaFlags", named<text<cuda::compiler_flags>>);
  add("cudaDevice", named<text<cuda::describe_device>>);
  add("cudaFacts", named<facts>);
  add("cudaClock", named<figure<cuda::clock_ms>>);
  add("cudaCopyRate", named<figure<cuda::measure_copy_rate>>);
  add("cudaBlas", named<text<cuda::blas_library>>);
  add("cudaGemm", bare<text<cuda::gemm_backend_name>>);
  add("cudaUseGemm", bare<use_named<cuda::use_gemm_backend>>);
  add("cudaWgmmaLaunches", named<figure<cuda::wgmma_launches>>);
  add("cudaSynchronize", named<command<cuda::synchronize>>);
  add("cudaStartTimer", named<command<cuda::start_timer>>);
  add("cudaStopTimer", named<figure<cuda::stop_timer>>);
  add("cudaFlushCache", named<command<cuda::flush_cache>>);
  add("cudaDelay", named<command<cuda::delay>>);
  add("cudaRecord", named<record>);
  add("cudaReplay", named<replay>);
  add("cudaForget", named<free_graph>);
  add("cudaMark", named<mark>);
  add("cudaPassed", named<passed>);
}

}  // namespace morphmlp
