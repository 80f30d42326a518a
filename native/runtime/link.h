// Messages between the ranks of a training, in memory of the host: by MPI, or by TCP where the launcher is not MPI's.
// One thread makes all calls. They do not block: an exchange is started, then polled by `done`, one at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace morphmlp {

class Link {
 public:
  virtual ~Link() = default;

  // Begins a job, and tells rank 0, so that it can say who has not.
  virtual void arrive() = 0;
  // Whether all ranks have begun the job, as far as this rank knows.
  virtual bool arrived() = 0;
  // Ranks that rank 0 still waits for; empty on others.
  virtual std::vector<int> missing() const = 0;

  // Gathers `bytes` bytes of each rank into `into`, in the order of ranks.
  virtual void gather(const void* from, void* into, size_t bytes) = 0;
  // Copies the bytes of rank `root` to all others.
  virtual void broadcast(void* data, size_t bytes, int root) = 0;
  // Sends the r-th `each` numbers to rank r, and receives those of rank r there.
  virtual void all_to_all(const float* from, float* into, int64_t each) = 0;
  // Sums numbers over all ranks, in the library's order.
  virtual void all_reduce(const float* from, float* into, int64_t n) = 0;
  // Polls the exchange. Throws if a rank is gone.
  virtual bool done() = 0;

  // Called now and then while there is nothing to exchange. Throws if a rank is gone.
  virtual void idle() {}
  // Disconnects. Called after an exchange among all ranks.
  virtual void close() = 0;
  // Ends the processes of all ranks with this status, this one included.
  virtual void abort(int status) = 0;

  int rank = 0, size = 1;
  std::string name;  // what connects the ranks: a library and its version, or an address
};

// Loads an MPI library and connects the processes that its launcher started. Throws if it cannot be loaded.
std::unique_ptr<Link> connect_mpi(const std::string& library);

// Where rank 0 of a job listens.
struct Rendezvous {
  std::string host;
  int port = 0, rank = 0, size = 1;
};

// Connects all ranks to rank 0. Throws if that takes longer than `timeout` seconds.
std::unique_ptr<Link> connect_tcp(const Rendezvous& at, double timeout);

}  // namespace morphmlp
