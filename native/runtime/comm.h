// Communication between the ranks of a training. One thread makes every call of the libraries; others hand it jobs,
// which run in order. It polls, so that a rank that does not arrive is noticed and a job can be abandoned.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/link.h"
#include "runtime/reducer.h"

namespace morphmlp::comm {

struct World {
  int rank = 0;
  int size = 1;
  std::string name;  // what connects the ranks
};

// Ranks that a job waited for in vain; empty if it ended well. {-1}: the library itself does not return.
using Late = std::vector<int>;

// Connect this process to the others of its job, once: by an MPI library, or by TCP. Jobs that wait longer than
// `timeout` seconds for a rank fail.
World init_mpi(const std::string& library, double timeout);
World init_tcp(const Rendezvous& at, double timeout);

// Connects the GPUs of all ranks by NCCL. `reduce` of tensors on the GPU needs it.
Late use_nccl(const std::string& library);

// Starts a sum, and returns the number of the job. Buffers must not be touched before `wait`.
int64_t reduce(Reduction reduction);
// Waits for a job and those before it. Throws if a library reports a fault or a rank is gone.
Late wait(int64_t job);
// Gathers `bytes` bytes of each rank into `into`, in the order of ranks.
Late all_gather(const void* from, void* into, size_t bytes);
// Copies the bytes of rank `root` to all others.
Late broadcast(void* data, size_t bytes, int root);

// Bytes that this rank sent in sums, and seconds in which a sum was under way.
struct Traffic {
  double bytes = 0;
  double seconds = 0;
};
Traffic traffic();

// Disconnects when all ranks have come this far; without a time limit, as rank 0 may have work left. Returns whether
// the library let go within 20 seconds from then on: UCX over TCP may wait for a rank that has disconnected
// (openucx/ucx#8738).
bool finalize();
// Ends the whole job with this status. Does nothing before init and after a finalize that returned true; after one that
// did not it ends this process alone.
void abort(int status);

}  // namespace morphmlp::comm
