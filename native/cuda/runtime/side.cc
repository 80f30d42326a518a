// Events, and the stream of the communication.
#include "cuda/runtime/state.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

struct DeviceEvent : Event {
  cudaEvent_t event = nullptr;

  explicit DeviceEvent(cudaStream_t stream) {
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    const cudaError_t error = cudaEventRecord(event, stream);
    if (error == cudaSuccess) return;
    cudaEventDestroy(event);
    raise(error, "recording an event");
  }
  ~DeviceEvent() override { cudaEventDestroy(event); }

  bool passed() override {
    const cudaError_t error = cudaEventQuery(event);
    if (error == cudaErrorNotReady) cudaGetLastError();  // no lasting error
    if (error != cudaSuccess && error != cudaErrorNotReady) raise(error, "summing gradients over the ranks");
    return error == cudaSuccess;
  }
};

cudaStream_t side_stream() {
  static const cudaStream_t stream = [] {
    cudaStream_t made = nullptr;
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "making a stream");
    return made;
  }();
  return stream;
}

}  // namespace

std::unique_ptr<Event> mark() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  refuse_recording(s, "an event");
  return std::make_unique<DeviceEvent>(s.stream);
}

namespace side {

void* stream() { return side_stream(); }

void after(const Event& event) {
  check(cudaStreamWaitEvent(side_stream(), static_cast<const DeviceEvent&>(event).event, 0), "waiting for gradients");
}

std::unique_ptr<Event> mark() { return std::make_unique<DeviceEvent>(side_stream()); }

float* allocate(int64_t n) {
  auto* data = static_cast<float*>(device_allocate(static_cast<size_t>(n) * sizeof(float)));
  if (!data) fail("out of GPU memory: " + std::to_string(n) + " numbers to sum gradients over the ranks");
  return data;
}

void release(float* data) { device_free(data); }

void copy(float* to, const float* from, int64_t n) {
  const size_t bytes = static_cast<size_t>(n) * sizeof(float);
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, side_stream()), "copying gradients");
}

}  // namespace side
}  // namespace morphmlp::cuda
