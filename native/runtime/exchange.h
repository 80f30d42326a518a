// What a sum of gradients over the ranks needs of memory and wires: on the CPU vectors and the Link, on the GPU device
// memory and NCCL. One thread makes all calls. Those that exchange something return when it is done or, on the GPU,
// queued.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "runtime/cuda.h"
#include "runtime/link.h"

namespace morphmlp {

// Waits until the function returns true. Throws where a rank does not arrive in time.
using Until = std::function<void(const std::function<bool()>&)>;

class Exchange {
 public:
  virtual ~Exchange() = default;
  // Begins a sum of tensors that are complete at this event (GPU), with room for so many numbers to send and to
  // receive.
  virtual void begin(const cuda::Event* ready, int64_t send, int64_t recv) = 0;
  virtual void copy(float* to, const float* from, int64_t n) = 0;
  virtual void fill(float* to, float value, int64_t n) = 0;
  virtual void add(float* into, const float* from, int64_t n) = 0;
  // Sends the r-th `each` numbers of `send` to rank r, and receives those of rank r at the same place of `recv`.
  virtual void all_to_all(int64_t each) = 0;
  // Gathers `each` numbers of all ranks in `send`. `from` lies in `recv`.
  virtual void all_gather(const float* from, int64_t each) = 0;
  // Sums `n` numbers of `send` over all ranks to `recv`, in the library's order.
  virtual void all_reduce(int64_t n) = 0;
  // Waits until all is done.
  virtual void finish() = 0;
  // Disconnects when all ranks have come this far.
  virtual void close() {}
  // Gives up what is under way, after a fault.
  virtual void abort() {}

  float *send = nullptr, *recv = nullptr;
};

std::unique_ptr<Exchange> host_exchange(Link& link, Until until);

// Connects all ranks by NCCL, each with the GPU that it uses. Throws if the library cannot be loaded or reports a
// fault.
std::unique_ptr<Exchange> nccl_exchange(const std::string& library, Link& link, Until until);

}  // namespace morphmlp
