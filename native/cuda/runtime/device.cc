// The real device: CUDA's runtime library, linked statically. It looks for the driver when it is first used, so the
// addon loads on a machine without one.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <vector>

#include "cuda/runtime/block_cache.h"
#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp {
namespace cuda {

extern const Kernels kernels;

namespace {

constexpr size_t kStaging = size_t{4} << 20;
constexpr int kSlots = 2;
constexpr size_t kNoted = 32;

[[noreturn]] void raise(cudaError_t error, const std::string& what);

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) raise(error, what);
}

void* device_allocate(size_t bytes) {
  void* data = nullptr;
  if (cudaMalloc(&data, bytes) == cudaSuccess) return data;
  cudaGetLastError();  // out of memory is no lasting error
  return nullptr;
}

void device_free(void* data) { cudaFree(data); }

// Pinned memory through which copies go in turns, so that they are asynchronous whatever memory the other side has.
struct Staging {
  void* data = nullptr;
  cudaEvent_t done = nullptr;
};

struct State {
  std::mutex mutex;
  BlockCache blocks{device_allocate, device_free};
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr;
  cudaEvent_t handed_over = nullptr;  // the end of what the stream before this one was given
  cudaEvent_t timer[2] = {nullptr, nullptr};
  void* flushed = nullptr;  // the memory that flush_cache writes
  bool recording = false;
  Staging staging[kSlots];
  int next_slot = 0;
  bool synchronous = false;
  const char* op = "";             // what is launched now
  std::vector<const char*> since;  // ops since the GPU was last waited for
  std::string unusable;            // why there is no device; empty where there is one
};

// "" where device 0 can run our kernels.
std::string find_device() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return error == cudaErrorInsufficientDriver ? "there is no NVIDIA driver, or it is older than this build's CUDA"
                                                : cudaGetErrorString(error);
  }
  if (count == 0) return "the driver reports none";
  cudaDeviceProp p;
  if (cudaGetDeviceProperties(&p, 0) != cudaSuccess) return cudaGetErrorString(cudaGetLastError());
  if (p.major < 8)
    return std::string(p.name) + " has compute capability " + std::to_string(p.major) + "; 8.0 is needed";
  return "";
}

// "" where the stream and the pinned memory could be made.
std::string start(State& s) {
  cudaError_t error = cudaStreamCreateWithFlags(&s.stream, cudaStreamNonBlocking);
  const auto then = [&](cudaError_t next) { error = error == cudaSuccess ? next : error; };
  if (error == cudaSuccess) then(cudaEventCreate(&s.start));
  if (error == cudaSuccess) then(cudaEventRecord(s.start, s.stream));
  if (error == cudaSuccess) then(cudaEventCreateWithFlags(&s.handed_over, cudaEventDisableTiming));
  for (cudaEvent_t& event : s.timer)
    if (error == cudaSuccess) then(cudaEventCreate(&event));
  for (Staging& slot : s.staging) {
    if (error == cudaSuccess) then(cudaHostAlloc(&slot.data, kStaging, cudaHostAllocDefault));
    if (error == cudaSuccess) then(cudaEventCreateWithFlags(&slot.done, cudaEventDisableTiming));
  }
  return error == cudaSuccess ? "" : cudaGetErrorString(error);
}

// Never destroyed: finalizers of other threads may still release blocks while the process exits.
State& state() {
  static State* instance = [] {
    auto* s = new State;
    const char* wanted = std::getenv("MORPHMLP_CUDA_SYNC");
    s->synchronous = wanted && std::strcmp(wanted, "0") != 0 && *wanted;
    s->unusable = find_device();
    if (s->unusable.empty()) s->unusable = start(*s);
    return s;
  }();
  return *instance;
}

// The GPU waits for nobody: what it reports now may have happened in any of these.
std::string suspects(const State& s) {
  if (s.synchronous) return std::string(" (in ") + s.op + ")";
  if (s.since.empty()) return "";
  std::string list;
  for (const char* op : s.since) list += (list.empty() ? "" : ", ") + std::string(op);
  return " (in one of: " + list + "; MORPHMLP_CUDA_SYNC=1 tells which)";
}

void raise(cudaError_t error, const std::string& what) {
  fail("CUDA, " + what + ": " + cudaGetErrorString(error) + suspects(state()));
}

// What the host waits for cannot be part of a recording.
void refuse_recording(const State& s, const char* what) {
  if (s.recording) fail(std::string(what) + " cannot be recorded into a CUDA graph (in " + s.op + ")");
}

void wait(State& s) {
  refuse_recording(s, "waiting for the GPU");
  check(cudaStreamSynchronize(s.stream), "waiting for the GPU");
  s.since.clear();
}

Staging& next_staging(State& s) {
  Staging& slot = s.staging[s.next_slot];
  s.next_slot = (s.next_slot + 1) % kSlots;
  check(cudaEventSynchronize(slot.done), "waiting for a copy");
  return slot;
}

const char* at(const void* data, size_t offset) { return static_cast<const char*>(data) + offset; }
char* at(void* data, size_t offset) { return static_cast<char*>(data) + offset; }

}  // namespace

cudaStream_t stream() { return state().stream; }

void launched() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  check(cudaGetLastError(), "launching a kernel");
  if (s.synchronous && !s.recording) wait(s);
}

void* native_stream() { return state().stream; }

void begin(const char* op) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.op = op;
  if (s.since.size() == kNoted) s.since.erase(s.since.begin());
  s.since.push_back(op);
}

void* allocate(size_t bytes) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  if (void* data = s.blocks.take(bytes)) return data;
  fail("out of GPU memory: " + std::to_string(bytes) + " bytes asked for, " + std::to_string(s.blocks.stats.live) +
       " bytes of tensors are live");
}

void release(void* data, size_t bytes) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.blocks.give(data, bytes);
}

void release_cache() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.blocks.drop();
}

void poison_cache() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.blocks.for_each_cached(
      [&](void* data, size_t bytes) { check(cudaMemsetAsync(data, 0xFF, bytes, s.stream), "poisoning"); });
}

MemoryStats memory_stats() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  return s.blocks.stats;
}

void reset_peak() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.blocks.stats.peak = s.blocks.stats.live;
}

void upload(void* to, const void* from, size_t bytes) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  refuse_recording(s, "a copy from the host");
  for (size_t done = 0; done < bytes; done += kStaging) {
    const size_t part = std::min(kStaging, bytes - done);
    Staging& slot = next_staging(s);
    std::memcpy(slot.data, at(from, done), part);
    check(cudaMemcpyAsync(at(to, done), slot.data, part, cudaMemcpyHostToDevice, s.stream), "copying to the GPU");
    check(cudaEventRecord(slot.done, s.stream), "noting a copy");
  }
}

// While one slot is copied out on this side, the GPU fills the other.
void download(void* to, const void* from, size_t bytes) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  refuse_recording(s, "a copy to the host");
  struct Part {
    Staging* slot = nullptr;
    size_t offset = 0, bytes = 0;
  } before;
  const auto finish = [&](const Part& part) {
    if (!part.slot) return;
    check(cudaEventSynchronize(part.slot->done), "copying from the GPU");
    std::memcpy(at(to, part.offset), part.slot->data, part.bytes);
  };
  for (size_t done = 0; done < bytes; done += kStaging) {
    const Part part{&next_staging(s), done, std::min(kStaging, bytes - done)};
    check(cudaMemcpyAsync(part.slot->data, at(from, done), part.bytes, cudaMemcpyDeviceToHost, s.stream),
          "copying from the GPU");
    check(cudaEventRecord(part.slot->done, s.stream), "noting a copy");
    finish(before);
    before = part;
  }
  finish(before);
  wait(s);
}

void copy(void* to, const void* from, size_t bytes) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, s.stream), "copying on the GPU");
}

void fill(void* data, int byte, size_t bytes) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  check(cudaMemsetAsync(data, byte, bytes, s.stream), "filling memory");
}

void synchronize() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  wait(s);
}

void use_stream(void* stream) {
  State& s = state();
  const auto wanted = static_cast<cudaStream_t>(stream);
  std::lock_guard<std::mutex> lock(s.mutex);
  if (wanted == s.stream) return;
  refuse_recording(s, "another stream");
  check(cudaEventRecord(s.handed_over, s.stream), "leaving a stream");
  check(cudaStreamWaitEvent(wanted, s.handed_over, 0), "entering a stream");
  s.stream = wanted;
}

bool is_device_memory(const void* data) {
  cudaPointerAttributes found{};
  if (cudaPointerGetAttributes(&found, data) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  return found.type == cudaMemoryTypeDevice || found.type == cudaMemoryTypeManaged;
}

namespace {

void begin_recording(State& s, BlockCache::Pool* pool) {
  std::lock_guard<std::mutex> lock(s.mutex);
  refuse_recording(s, "a recording");
  // Relaxed: memory that the cache does not have is asked for in between, which other modes forbid.
  check(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeRelaxed), "recording a graph");
  s.blocks.begin_recording(pool);
  s.recording = true;
}

// What was recorded, valid or not: nullptr where nothing was.
cudaGraph_t end_recording(State& s, cudaError_t* error) {
  std::lock_guard<std::mutex> lock(s.mutex);
  cudaGraph_t graph = nullptr;
  *error = cudaStreamEndCapture(s.stream, &graph);
  if (*error != cudaSuccess) cudaGetLastError();
  s.blocks.end_recording();
  s.recording = false;
  return graph;
}

struct DeviceGraph : Graph {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  BlockCache::Pool pool;

  ~DeviceGraph() override {
    State& s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    if (executable) cudaGraphExecDestroy(executable);  // a replay that still runs ends first
    if (graph) cudaGraphDestroy(graph);
    s.blocks.disown(&pool);
  }

  void instantiate(State& s) {
    std::lock_guard<std::mutex> lock(s.mutex);
    check(cudaGraphInstantiateWithFlags(&executable, graph, 0), "making a graph of what was recorded");
    check(cudaGraphUpload(executable, s.stream), "copying a graph to the GPU");
  }

  void replay() override {
    State& s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    check(cudaGraphLaunch(executable, s.stream), "replaying a graph");
    if (s.synchronous) wait(s);
  }
};

}  // namespace

std::unique_ptr<Graph> record(const std::function<void()>& body) {
  State& s = state();
  auto recorded = std::make_unique<DeviceGraph>();
  begin_recording(s, &recorded->pool);
  cudaError_t error = cudaSuccess;
  try {
    body();
  } catch (...) {
    recorded->graph = end_recording(s, &error);
    throw;
  }
  recorded->graph = end_recording(s, &error);
  check(error, "recording a graph");
  recorded->instantiate(s);
  return recorded;
}

void start_timer() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  check(cudaEventRecord(s.timer[0], s.stream), "starting the timer");
}

double stop_timer() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  float ms = 0;
  check(cudaEventRecord(s.timer[1], s.stream), "stopping the timer");
  check(cudaEventSynchronize(s.timer[1]), "waiting for the timer");
  check(cudaEventElapsedTime(&ms, s.timer[0], s.timer[1]), "reading the timer");
  return ms;
}

void flush_cache() {
  const size_t bytes = 2 * device_facts().l2_bytes;
  State& s = state();
  if (!s.flushed && !(s.flushed = device_allocate(bytes))) fail("out of GPU memory: the L2 cache cannot be emptied");
  fill(s.flushed, 0, bytes);
}

double clock_ms() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  cudaEvent_t now = nullptr;
  check(cudaEventCreate(&now), "making an event");
  check(cudaEventRecord(now, s.stream), "reading the clock");
  const cudaError_t waited = cudaEventSynchronize(now);
  float ms = 0;
  const cudaError_t read = waited == cudaSuccess ? cudaEventElapsedTime(&ms, s.start, now) : waited;
  cudaEventDestroy(now);
  check(read, "reading the clock");
  return ms;
}

std::string compiled_for() { return MORPHMLP_CUDA_ARCHITECTURES; }

std::string compiler_flags() { return MORPHMLP_CUDA_FLAGS; }

namespace {

std::string cuda_version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, 0), "asking for the device");
  return value;
}

DeviceFacts ask_device() {
  if (!state().unusable.empty()) fail("no CUDA device: " + state().unusable);
  cudaDeviceProp p;
  int driver = 0, runtime = 0;
  check(cudaGetDeviceProperties(&p, 0), "asking for the device");
  check(cudaDriverGetVersion(&driver), "asking for the driver");
  check(cudaRuntimeGetVersion(&runtime), "asking for the runtime");
  DeviceFacts facts;
  facts.name = p.name;
  facts.architecture = "sm_" + std::to_string(p.major) + std::to_string(p.minor);
  facts.driver = cuda_version(driver);
  facts.runtime = cuda_version(runtime);
  facts.multiprocessors = p.multiProcessorCount;
  facts.clock_mhz = attribute(cudaDevAttrClockRate) / 1e3;
  facts.memory_clock_mhz = attribute(cudaDevAttrMemoryClockRate) / 1e3;
  facts.memory_bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth);
  facts.memory_bytes = p.totalGlobalMem;
  facts.l2_bytes = static_cast<size_t>(attribute(cudaDevAttrL2CacheSize));
  return facts;
}

}  // namespace

DeviceFacts device_facts() {
  static const DeviceFacts facts = ask_device();
  return facts;
}

std::string describe_device() {
  const DeviceFacts facts = device_facts();
  std::ostringstream text;
  text << facts.name << ", " << facts.architecture << ", " << facts.multiprocessors << " multiprocessors, "
       << (facts.memory_bytes >> 20) << " MiB, driver for CUDA " << facts.driver << ", built with CUDA "
       << facts.runtime;
  return text.str();
}

}  // namespace cuda

const Kernels* cuda_kernels(std::string* reason) {
  const std::string& unusable = cuda::state().unusable;
  *reason = unusable;
  return unusable.empty() ? &cuda::kernels : nullptr;
}

}  // namespace morphmlp
