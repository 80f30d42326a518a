// Link over MPI (MPI_THREAD_FUNNELED).
#include <unistd.h>

#include <cstdlib>
#include <limits>

#include "runtime/error.h"
#include "runtime/link.h"
#include "runtime/mpi.h"

namespace morphmlp {
namespace {

constexpr int kFunneled = 1;
constexpr int kArrival = 1;  // tag of the message that a rank has begun a job

int counted(size_t size) {
  if (size > static_cast<size_t>(std::numeric_limits<int>::max())) fail("more than 2 GB in one message");
  return static_cast<int>(size);
}

class MpiLink : public Link {
 public:
  explicit MpiLink(const std::string& library) : mpi_(load_mpi(library)) {
    int provided = 0;
    mpi_.init_thread(nullptr, nullptr, kFunneled, &provided);
    mpi_.comm_size(mpi_.world, &size);
    mpi_.comm_rank(mpi_.world, &rank);
    name = mpi_.version;
    arrivals_.resize(rank == 0 ? static_cast<size_t>(size) : 1);
    tokens_.resize(arrivals_.size());
  }

  void arrive() override {
    open_.assign(arrivals_.size(), 1);
    if (rank != 0) {
      mpi_.isend(&tokens_[0], 1, mpi_.byte, 0, kArrival, mpi_.world, &arrivals_[0]);
      return;
    }
    open_[0] = 0;
    for (size_t r = 1; r < arrivals_.size(); ++r)
      mpi_.irecv(&tokens_[r], 1, mpi_.byte, static_cast<int>(r), kArrival, mpi_.world, &arrivals_[r]);
  }

  bool arrived() override {
    bool all = true;
    for (size_t r = 0; r < arrivals_.size(); ++r) {
      if (open_[r] && tested(arrivals_[r])) open_[r] = 0;
      all = all && !open_[r];
    }
    return all;
  }

  std::vector<int> missing() const override {
    std::vector<int> ranks;
    for (size_t r = 0; rank == 0 && r < open_.size(); ++r)
      if (open_[r]) ranks.push_back(static_cast<int>(r));
    return ranks;
  }

  void gather(const void* from, void* into, size_t bytes) override {
    const int count = counted(bytes);
    mpi_.iallgather(from, count, mpi_.byte, into, count, mpi_.byte, mpi_.world, &request_);
  }

  void broadcast(void* data, size_t bytes, int root) override {
    mpi_.ibcast(data, counted(bytes), mpi_.byte, root, mpi_.world, &request_);
  }

  void all_to_all(const float* from, float* into, int64_t each) override {
    const int count = counted(static_cast<size_t>(each) * sizeof(float));
    mpi_.ialltoall(from, count, mpi_.byte, into, count, mpi_.byte, mpi_.world, &request_);
  }

  void all_reduce(const float* from, float* into, int64_t n) override {
    mpi_.iallreduce(from, into, counted(static_cast<size_t>(n)), mpi_.real, mpi_.sum, mpi_.world, &request_);
  }

  bool done() override { return tested(request_); }

  void close() override { mpi_.finalize(); }

  // MPI_Abort leaves by exit(), which runs the destructors of Node's globals while its threads still use them: a
  // handler that is registered last, and so runs first, leaves before them.
  void abort(int status) override {
    static int kept;
    kept = status;
    std::atexit([] { _exit(kept); });
    mpi_.abort(mpi_.world, status);
  }

 private:
  bool tested(Mpi::Request& request) {
    int done = 0;
    Mpi::Status status;
    mpi_.test(&request, &done, &status);
    return done != 0;
  }

  Mpi mpi_;
  Mpi::Request request_ = nullptr;
  // Of the job in progress: the requests of arrivals, and which of them are open.
  std::vector<Mpi::Request> arrivals_;
  std::vector<char> tokens_, open_;
};

}  // namespace

std::unique_ptr<Link> connect_mpi(const std::string& library) { return std::make_unique<MpiLink>(library); }

}  // namespace morphmlp
