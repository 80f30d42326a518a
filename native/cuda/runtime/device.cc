// The GPU through the statically linked CUDA runtime, which looks for the driver at its first call: the addon loads on
// a machine without one. graph.cc records graphs, facts.cc describes the device.
#include "cuda/runtime/state.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "runtime/error.h"

namespace morphmlp {
namespace cuda {

extern const Kernels kernels;

void* device_allocate(size_t bytes) {
  void* data = nullptr;
  if (cudaMalloc(&data, bytes) == cudaSuccess) return data;
  cudaGetLastError();  // out of memory is no lasting error
  return nullptr;
}

void device_free(void* data) { cudaFree(data); }

namespace {

// Why device 0 cannot run the kernels, or "".
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

// Why the stream, its events or the pinned memory could not be created, or "".
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

}  // namespace

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

namespace {

// Launches are asynchronous: an error may come from any op since the last synchronization.
std::string suspects(const State& s) {
  if (s.synchronous) return std::string(" (in ") + s.op + ")";
  if (s.since.empty()) return "";
  std::string list;
  for (const char* op : s.since) list += (list.empty() ? "" : ", ") + std::string(op);
  return " (in one of: " + list + "; MORPHMLP_CUDA_SYNC=1 tells which)";
}

}  // namespace

void raise(cudaError_t error, const std::string& what) {
  fail("CUDA, " + what + ": " + cudaGetErrorString(error) + suspects(state()));
}

// Synchronization is not allowed while a graph is captured.
void refuse_recording(const State& s, const char* what) {
  if (s.recording) fail(std::string(what) + " cannot be recorded into a CUDA graph (in " + s.op + ")");
}

void wait(State& s) {
  refuse_recording(s, "waiting for the GPU");
  check(cudaStreamSynchronize(s.stream), "waiting for the GPU");
  s.since.clear();
}

namespace {

Staging& next_staging(State& s) {
  Staging& slot = s.staging[s.next_slot];
  s.next_slot = (s.next_slot + 1) % kSlots;
  check(cudaEventSynchronize(slot.done), "waiting for a copy");
  return slot;
}

const char* at(const void* data, size_t offset) { return static_cast<const char*>(data) + offset; }
char* at(void* data, size_t offset) { return static_cast<char*>(data) + offset; }

}  // namespace

void allow_shared(const void* kernel, size_t bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "asking for shared memory");
}

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

// Copies from one pinned slot on the host while the GPU fills the other.
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

void upload_arguments(void* to, const void* from, size_t bytes) {
  State& s = state();
  std::unique_lock<std::mutex> lock(s.mutex);
  if (!s.recording) {
    lock.unlock();
    return upload(to, from, bytes);
  }
  void* kept = nullptr;
  check(cudaHostAlloc(&kept, bytes, cudaHostAllocDefault), "keeping the arguments of a recorded launch");
  s.recording->push_back(kept);
  std::memcpy(kept, from, bytes);
  check(cudaMemcpyAsync(to, kept, bytes, cudaMemcpyHostToDevice, s.stream), "recording a copy");
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

}  // namespace cuda

const Kernels* cuda_kernels(std::string* reason) {
  const std::string& unusable = cuda::state().unusable;
  *reason = unusable;
  return unusable.empty() ? &cuda::kernels : nullptr;
}

}  // namespace morphmlp
