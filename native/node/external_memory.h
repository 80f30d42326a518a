// Tells the JavaScript runtime how much memory its handles hold, so that its collector runs when dropped tensors pile
// up. It collects each time it is told of some 64 MB more; a training step that takes and frees a gigabyte would pay
// for that many collections of a heap that holds next to nothing. So it is told when the total has grown by a quarter,
// or shrunk to a quarter: what it knows is of the right size, and quiet while the total only breathes.
#pragma once
#include "node/node_api.h"

namespace morphmlp {

class ExternalMemory {
 public:
  // Of the calling thread, which is that of its environment.
  static ExternalMemory& here() {
    static thread_local ExternalMemory memory;
    return memory;
  }

  void add(Napi::Env env, int64_t bytes) {
    held_ += bytes;
    if (held_ > told_ + told_ / 4 + kLeast || held_ < told_ / 4) {
      Napi::MemoryManagement::AdjustExternalMemory(env, held_ - told_);
      told_ = held_;
    }
  }

 private:
  static constexpr int64_t kLeast = 16 << 20;
  int64_t held_ = 0, told_ = 0;
};

}  // namespace morphmlp
