// Communication between the ranks of a training. One thread makes every MPI call (MPI_THREAD_FUNNELED); others hand it
// jobs, which run in order. It polls, so that a rank that does not arrive is noticed and a job can be abandoned.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/buffer.h"

namespace morphmlp::comm {

struct World {
  int rank = 0;
  int size = 1;
  std::string library;
};

// Loads the library and starts MPI. Jobs that wait longer than `timeout` seconds for a rank fail.
World init(const std::string& library, double timeout);

// Gradients of a bucket of tensors to sum over all ranks. A rank holds `count` neighbouring slices from `first` on,
// summed to the nodes of the tree (slice_tree.h).
struct Reduction {
  int64_t slices = 1;
  // nodes[i][t]: tensor t of the i-th node; null if no slice of it was read.
  std::vector<std::vector<std::shared_ptr<Buffer>>> nodes;
  std::vector<std::shared_ptr<Buffer>> sums;  // written
  bool fast = false;                          // MPI_Allreduce: the bits depend on the number of ranks
};

// Ranks that a job waited for in vain; empty if it ended well. {-1}: MPI itself does not return.
using Late = std::vector<int>;

// Starts a sum, and returns the number of the job. Buffers must not be touched before `wait`.
int64_t reduce(Reduction reduction);
// Waits for a job and those before it.
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

// Ends MPI when all ranks have come this far; without a time limit, as rank 0 may have work left.
void finalize();
// Ends the whole job with this status. Does nothing before init and after finalize.
void abort(int status);

}  // namespace morphmlp::comm
