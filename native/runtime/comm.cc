#include "runtime/comm.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>
#include <thread>

#include "runtime/error.h"
#include "runtime/mpi.h"
#include "runtime/slice_tree.h"

namespace morphmlp::comm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFunneled = 1;
constexpr int kArrival = 1;  // tag of the message that a rank has begun a job
constexpr std::chrono::microseconds kPause{50};
constexpr std::chrono::milliseconds kSpin{2};  // of a thread that is waited for, before it begins to pause
constexpr double kGrace = 4;                   // seconds in which the engine's thread must have noticed

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Engine {
 public:
  static Engine& get() {
    static Engine* engine = new Engine;  // never destroyed: its thread ends with the process
    return *engine;
  }

  World start(const std::string& library, double timeout) {
    if (started_) fail("it was called before");
    timeout_ = timeout;
    std::string error;
    std::unique_lock<std::mutex> lock(mutex_);
    std::thread([this, library, &error] { run(library, error); }).detach();
    changed_.wait(lock, [&] { return started_ || !error.empty(); });
    if (!error.empty()) fail(error);
    return world_;
  }

  // The job's body runs on the engine's thread; `kept` is freed by the thread that waits.
  int64_t submit(std::function<void()> body) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!started_ || finalized_) fail("ranks are not connected");
    jobs_.push_back(std::move(body));
    changed_.notify_all();
    return ++submitted_;
  }

  Late wait(int64_t job) {
    std::deque<std::function<void()>> ended;  // destroyed here, and with it the buffers
    std::unique_lock<std::mutex> lock(mutex_);
    waiting_ = true;
    const double limit = 2 * timeout_ + kGrace;
    auto idle = Clock::now();
    for (int64_t seen = done_; done_ < job && !failed_;) {
      changed_.wait_for(lock, std::chrono::milliseconds(200));
      if (done_ != seen || !limited_) idle = Clock::now(), seen = done_;
      if (seconds_since(idle) > limit) return {-1};
    }
    waiting_ = false;
    ended.swap(ended_);
    return done_ >= job ? Late{} : late_;
  }

  void abort(int status) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!started_ || finalized_) return;
      abort_ = status;
      changed_.notify_all();
    }
    std::this_thread::sleep_for(std::chrono::seconds(2));  // MPI_Abort ends the process
    _exit(status);
  }

  void finalize() {
    limited_ = false;
    wait(submit([this] {
      char token = 0;
      std::vector<char> all(static_cast<size_t>(world_.size));
      gather(&token, all.data(), 1);
      complete();  // MPI_Test is not allowed after MPI_Finalize
      mpi_.finalize();
    }));
    std::lock_guard<std::mutex> lock(mutex_);
    finalized_ = true;
  }

  const World& world() const { return world_; }
  const Mpi& mpi() const { return mpi_; }
  Traffic traffic() {
    std::lock_guard<std::mutex> lock(mutex_);
    return traffic_;
  }

  // The following run on the engine's thread.

  void gather(const void* from, void* into, size_t bytes) {
    Mpi::Request request;
    const int count = counted(bytes);
    mpi_.iallgather(from, count, mpi_.byte, into, count, mpi_.byte, mpi_.world, &request);
    complete(request);
  }

  void spread(void* data, size_t bytes, int root) {
    Mpi::Request request;
    mpi_.ibcast(data, counted(bytes), mpi_.byte, root, mpi_.world, &request);
    complete(request);
  }

  void all_to_all(const std::vector<float>& from, std::vector<float>& into) {
    Mpi::Request request;
    const int count = counted(from.size() / static_cast<size_t>(world_.size) * sizeof(float));
    mpi_.ialltoall(from.data(), count, mpi_.byte, into.data(), count, mpi_.byte, mpi_.world, &request);
    complete(request);
  }

  void all_reduce(const std::vector<float>& from, std::vector<float>& into) {
    Mpi::Request request;
    mpi_.iallreduce(from.data(), into.data(), counted(from.size()), mpi_.real, mpi_.sum, mpi_.world, &request);
    complete(request);
  }

  void count(double bytes, double seconds) {
    std::lock_guard<std::mutex> lock(mutex_);
    traffic_.bytes += bytes;
    traffic_.seconds += seconds;
  }

 private:
  // A rank that did not arrive in time: the job is over.
  struct Abandoned {};

  static int counted(size_t size) {
    if (size > static_cast<size_t>(std::numeric_limits<int>::max())) fail("more than 2 GB in one message");
    return static_cast<int>(size);
  }

  void run(const std::string& library, std::string& error) {
    try {
      mpi_ = load_mpi(library);
      int provided = 0;
      mpi_.init_thread(nullptr, nullptr, kFunneled, &provided);
      mpi_.comm_size(mpi_.world, &world_.size);
      mpi_.comm_rank(mpi_.world, &world_.rank);
      world_.library = mpi_.version;
    } catch (const std::exception& e) {
      std::lock_guard<std::mutex> lock(mutex_);
      error = e.what();
      changed_.notify_all();
      return;
    }
    arrivals_.resize(world_.rank == 0 ? static_cast<size_t>(world_.size) : 1);
    tokens_.resize(arrivals_.size());
    std::unique_lock<std::mutex> lock(mutex_);
    started_ = true;
    changed_.notify_all();
    work(lock);
  }

  void work(std::unique_lock<std::mutex>& lock) {
    for (;;) {
      changed_.wait(lock, [&] { return abort_ >= 0 || (!jobs_.empty() && !failed_); });
      if (abort_ >= 0) break;
      std::function<void()> body = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      bool ended = true;
      try {
        arrive();
        body();
        complete();
      } catch (const Abandoned&) {
        ended = false;
      }
      lock.lock();
      ended_.push_back(std::move(body));
      failed_ = !ended;
      if (ended) ++done_;
      changed_.notify_all();
    }
    end();
  }

  // Ends all ranks with the status `abort_`. MPI_Abort leaves by exit(), which runs the destructors of Node's globals
  // while its threads still use them: a handler that is registered last, and so runs first, leaves before them.
  void end() {
    static int status;
    status = abort_;
    std::atexit([] { _exit(status); });
    mpi_.abort(mpi_.world, status);
  }

  // Tells rank 0 that this rank has begun the job, so that it can say who has not.
  void arrive() {
    since_ = Clock::now();
    begun_.assign(arrivals_.size(), 1);
    if (world_.rank != 0) {
      mpi_.isend(&tokens_[0], 1, mpi_.byte, 0, kArrival, mpi_.world, &arrivals_[0]);
      return;
    }
    begun_[0] = 0;
    for (int r = 1; r < world_.size; ++r)
      mpi_.irecv(&tokens_[static_cast<size_t>(r)], 1, mpi_.byte, r, kArrival, mpi_.world,
                 &arrivals_[static_cast<size_t>(r)]);
  }

  bool tested(Mpi::Request& request) {
    int done = 0;
    Mpi::Status status;
    mpi_.test(&request, &done, &status);
    return done != 0;
  }

  // Whether all have arrived, as far as this rank knows.
  bool poll_arrivals() {
    bool all = true;
    for (size_t r = 0; r < arrivals_.size(); ++r) {
      if (begun_[r] && tested(arrivals_[r])) begun_[r] = 0;
      all = all && !begun_[r];
    }
    return all;
  }

  void complete(Mpi::Request& request) {
    until([&] { return tested(request); });
  }
  void complete() {
    until([&] { return poll_arrivals(); });
  }

  template <class Done>
  void until(Done&& done) {
    const auto start = Clock::now();
    while (!done()) {
      poll_arrivals();
      check();
      if (waiting_ && Clock::now() - start < kSpin)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(kPause);
    }
  }

  void check() {
    if (abort_ >= 0) end();
    // Rank 0 knows who is late and has begun the job at most one `timeout_` after this rank, or is late itself.
    if (!limited_ || seconds_since(since_) < timeout_ * (world_.rank == 0 ? 1 : 2)) return;
    std::lock_guard<std::mutex> lock(mutex_);
    if (world_.rank != 0) late_ = {0};
    for (int r = 1; world_.rank == 0 && r < world_.size; ++r)
      if (begun_[static_cast<size_t>(r)]) late_.push_back(r);
    if (late_.empty()) late_ = {-1};
    throw Abandoned{};
  }

  Mpi mpi_;
  World world_;
  double timeout_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_, ended_;
  int64_t submitted_ = 0, done_ = 0;
  bool started_ = false, finalized_ = false, failed_ = false;
  std::atomic<bool> waiting_{false}, limited_{true};
  std::atomic<int> abort_{-1};
  Late late_;
  Traffic traffic_;
  // Of the job in progress: the requests of arrivals, and which of them are open.
  Clock::time_point since_;
  std::vector<Mpi::Request> arrivals_;
  std::vector<char> tokens_, begun_;
};

// Addition's identity: x + -0 = x for every x, also for -0.
constexpr float kNothing = -0.0f;

float* add(float* a, const float* b, int64_t n) {
  for (int64_t i = 0; i < n; ++i) a[i] += b[i];
  return a;
}

int64_t total_of(const std::vector<std::shared_ptr<Buffer>>& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), int64_t{0},
                         [](int64_t n, const auto& t) { return n + t->length; });
}

// Sums of a bucket. Memory is kept from one to the next.
class Reducer {
 public:
  static Reducer& get() {
    static Reducer* reducer = new Reducer;
    return *reducer;
  }

  void run(const Reduction& r) {
    const auto start = Clock::now();
    total_ = total_of(r.sums);
    r.fast ? fast(r) : exact(r);
    const double ranks = engine_.world().size;
    engine_.count(8.0 * static_cast<double>(total_) * (ranks - 1) / ranks, seconds_since(start));
  }

 private:
  void exact(const Reduction& r) {
    const int ranks = engine_.world().size;
    const int64_t each = r.slices / ranks;
    std::vector<std::vector<SliceNode<int>>> parts;
    for (int rank = 0; rank < ranks; ++rank) parts.push_back(nodes_of(rank * each, each));
    depth_ = 0;
    for (const auto& part : parts) depth_ = std::max(depth_, static_cast<int64_t>(part.size()));
    shard_ = (total_ + ranks - 1) / ranks;
    send_.resize(static_cast<size_t>(ranks * depth_ * shard_));
    recv_.resize(send_.size());
    for (size_t node = 0; node < r.nodes.size(); ++node) pack(r, node);
    engine_.all_to_all(send_, recv_);
    const float* sum = sum_shard(parts);
    send_.resize(static_cast<size_t>(ranks * shard_));
    engine_.gather(sum, send_.data(), static_cast<size_t>(shard_) * sizeof(float));
    unpack(r, send_.data());
  }

  // The sum of the shard that this rank owns: the rest of the tree, over what the ranks sent.
  const float* sum_shard(const std::vector<std::vector<SliceNode<int>>>& parts) {
    const auto sum = [&](float* a, float* b) { return add(a, b, shard_); };
    std::vector<SliceNode<float*>> stack;
    for (size_t rank = 0; rank < parts.size(); ++rank)
      for (size_t node = 0; node < parts[rank].size(); ++node) {
        const size_t at = (rank * static_cast<size_t>(depth_) + node) * static_cast<size_t>(shard_);
        push_node(stack, SliceNode<float*>{parts[rank][node].first, parts[rank][node].count, recv_.data() + at}, sum);
      }
    return collapse(stack, sum);
  }

  void fast(const Reduction& r) {
    shard_ = total_, depth_ = static_cast<int64_t>(r.nodes.size());
    recv_.resize(static_cast<size_t>(total_ * depth_));
    send_.resize(recv_.size());
    for (size_t node = 0; node < r.nodes.size(); ++node) pack(r, node);
    for (int64_t node = 1; node < depth_; ++node) add(send_.data(), send_.data() + node * total_, total_);
    send_.resize(static_cast<size_t>(total_));
    engine_.all_reduce(send_, recv_);
    unpack(r, recv_.data());
  }

  // Calls visit(tensor, offset in it, position in the shards of a node, length) for each run of a tensor in one shard.
  template <class Visit>
  void each_run(const Reduction& r, Visit&& visit) {
    int64_t at = 0;
    for (size_t t = 0; t < r.sums.size(); ++t) {
      const int64_t end = at + r.sums[t]->length, begin = at;
      while (at < end) {
        const int64_t length = std::min(end, (at / shard_ + 1) * shard_) - at;
        visit(t, at - begin, at, length);
        at += length;
      }
    }
  }

  void pack(const Reduction& r, size_t node) {
    each_run(r, [&](size_t t, int64_t offset, int64_t at, int64_t length) {
      float* to = send_.data() + (at / shard_ * depth_ + static_cast<int64_t>(node)) * shard_ + at % shard_;
      const Buffer* from = r.nodes[node][t].get();
      if (from)
        std::copy_n(static_cast<const float*>(from->data) + offset, length, to);
      else
        std::fill_n(to, length, kNothing);
    });
  }

  void unpack(const Reduction& r, const float* sums) {
    each_run(r, [&](size_t t, int64_t offset, int64_t at, int64_t length) {
      std::copy_n(sums + at, length, static_cast<float*>(r.sums[t]->data) + offset);
    });
  }

  Engine& engine_ = Engine::get();
  std::vector<float> send_, recv_;
  int64_t total_ = 0, shard_ = 0, depth_ = 0;
};

void check_reduction(const Reduction& r) {
  const World& world = Engine::get().world();
  if (r.slices < 1 || r.slices % world.size != 0) fail("the number of slices must be a multiple of the ranks");
  const int64_t each = r.slices / world.size;
  if (nodes_of(world.rank * each, each).size() != r.nodes.size()) fail("the nodes are not those of this rank's slices");
  for (const auto& node : r.nodes) {
    if (node.size() != r.sums.size()) fail("every node must have all tensors");
    for (size_t t = 0; t < node.size(); ++t)
      if (node[t] && node[t]->length != r.sums[t]->length) fail("a tensor of a node has not the length of its sum");
  }
}

}  // namespace

World init(const std::string& library, double timeout) { return Engine::get().start(library, timeout); }

int64_t reduce(Reduction reduction) {
  check_reduction(reduction);
  auto job = std::make_shared<Reduction>(std::move(reduction));
  return Engine::get().submit([job] { Reducer::get().run(*job); });
}

Late wait(int64_t job) { return Engine::get().wait(job); }

Late all_gather(const void* from, void* into, size_t bytes) {
  Engine& engine = Engine::get();
  return engine.wait(engine.submit([&engine, from, into, bytes] { engine.gather(from, into, bytes); }));
}

Late broadcast(void* data, size_t bytes, int root) {
  Engine& engine = Engine::get();
  return engine.wait(engine.submit([&engine, data, bytes, root] { engine.spread(data, bytes, root); }));
}

Traffic traffic() { return Engine::get().traffic(); }

void finalize() { Engine::get().finalize(); }

void abort(int status) { Engine::get().abort(status); }

}  // namespace morphmlp::comm
