// Launches recorded into a CUDA graph.
#include "cuda/runtime/state.h"

namespace morphmlp::cuda {

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

}  // namespace morphmlp::cuda
