// Launches recorded into a CUDA graph.
#include "cuda/runtime/state.h"

namespace morphmlp::cuda {

namespace {

void disown(BlockCache::Pool* pool) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.blocks.disown(pool);
  delete pool;
}

struct DeviceGraph : Graph {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaEvent_t replayed = nullptr;
  std::vector<void*> pinned;  // pinned sources of its copies
  std::shared_ptr<BlockCache::Pool> pool;

  explicit DeviceGraph(const Graph* beside)
      : pool(beside ? static_cast<const DeviceGraph*>(beside)->pool
                    : std::shared_ptr<BlockCache::Pool>(new BlockCache::Pool, disown)) {}

  ~DeviceGraph() override {
    State& s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    if (replayed) cudaEventSynchronize(replayed);
    for (void* data : pinned) cudaFreeHost(data);
    if (replayed) cudaEventDestroy(replayed);
    if (executable) cudaGraphExecDestroy(executable);
    if (graph) cudaGraphDestroy(graph);
  }

  void instantiate(State& s) {
    std::lock_guard<std::mutex> lock(s.mutex);
    check(cudaGraphInstantiateWithFlags(&executable, graph, 0), "making a graph of what was recorded");
    check(cudaGraphUpload(executable, s.stream), "copying a graph to the GPU");
    check(cudaEventCreateWithFlags(&replayed, cudaEventDisableTiming), "making an event");
  }

  void replay() override {
    State& s = state();
    std::lock_guard<std::mutex> lock(s.mutex);
    check(cudaGraphLaunch(executable, s.stream), "replaying a graph");
    check(cudaEventRecord(replayed, s.stream), "noting a replay");
    if (s.synchronous) wait(s);
  }
};

void begin_recording(State& s, DeviceGraph& graph) {
  std::lock_guard<std::mutex> lock(s.mutex);
  refuse_recording(s, "a recording");
  // Relaxed mode: other modes forbid cudaMalloc, which the cache may need during the capture.
  check(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeRelaxed), "recording a graph");
  s.blocks.begin_recording(graph.pool.get());
  s.recording = &graph.pinned;
}

// Ends the capture and returns its graph, or nullptr.
cudaGraph_t end_recording(State& s, cudaError_t* error) {
  std::lock_guard<std::mutex> lock(s.mutex);
  cudaGraph_t graph = nullptr;
  *error = cudaStreamEndCapture(s.stream, &graph);
  if (*error != cudaSuccess) cudaGetLastError();
  s.blocks.end_recording();
  s.recording = nullptr;
  return graph;
}

}  // namespace

std::unique_ptr<Graph> record(const std::function<void()>& body, const Graph* beside) {
  State& s = state();
  auto recorded = std::make_unique<DeviceGraph>(beside);
  begin_recording(s, *recorded);
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

}  // namespace morphmlp::cuda
