// Reports the memory held by handles to V8, so that unreachable tensors trigger garbage collection. V8 collects for
// every 64 MB or so that are reported, and a training step that allocates and frees a gigabyte would cause many
// collections of a nearly empty heap. So only growth by a quarter, or shrinkage to a quarter, of the last reported
// total is reported.
#pragma once
#include "node/node_api.h"

namespace morphmlp {

class ExternalMemory {
 public:
  // The instance of the calling thread, that is, of its environment.
  static ExternalMemory& here() {
    static thread_local ExternalMemory memory;
    return memory;
  }

  void add(Napi::Env env, int64_t bytes) {
    held_ += bytes;
    if (held_ > reported_ + reported_ / 4 + kMinGrowth || held_ < reported_ / 4) {
      Napi::MemoryManagement::AdjustExternalMemory(env, held_ - reported_);
      reported_ = held_;
    }
  }

 private:
  static constexpr int64_t kMinGrowth = 16 << 20;
  int64_t held_ = 0, reported_ = 0;
};

}  // namespace morphmlp
