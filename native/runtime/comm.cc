#include "runtime/comm.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "runtime/error.h"

namespace morphmlp::comm {
namespace {

using Clock = std::chrono::steady_clock;
using Connect = std::function<std::unique_ptr<Link>()>;

constexpr std::chrono::microseconds kPause{50};
constexpr std::chrono::milliseconds kSpin{2};    // of a thread that is waited for, before it begins to pause
constexpr std::chrono::milliseconds kIdle{200};  // between looks at the other ranks while there are no jobs
constexpr double kGrace = 4;                     // seconds in which the engine's thread must have noticed
constexpr double kClose = 20;                    // seconds that a library may take to disconnect, when all is done

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Engine {
 public:
  static Engine& get() {
    static Engine* engine = new Engine;  // never destroyed: its thread ends with the process
    return *engine;
  }

  World start(const Connect& connect, double timeout) {
    if (started_) fail("it was called before");
    timeout_ = timeout;
    std::string error;
    std::unique_lock<std::mutex> lock(mutex_);
    std::thread([this, connect, &error] { run(connect, error); }).detach();
    changed_.wait(lock, [&] { return started_ || !error.empty(); });
    if (!error.empty()) fail(error);
    return {link_->rank, link_->size, link_->name};
  }

  // The job's body runs on the engine's thread; what it holds is freed by the thread that waits.
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
      changed_.wait_for(lock, kIdle);
      if (done_ != seen || !limited_) idle = Clock::now(), seen = done_;
      if (seconds_since(idle) > limit) return {-1};
    }
    waiting_ = false;
    ended.swap(ended_);
    if (done_ >= job) return {};
    if (!problem_.empty()) fail(problem_);
    return late_;
  }

  void abort(int status) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stuck_) _exit(status);
      if (!started_ || finalized_) return;
      abort_ = status;
      changed_.notify_all();
    }
    std::this_thread::sleep_for(std::chrono::seconds(2));  // the engine's thread ends the process
    _exit(status);
  }

  bool finalize() {
    limited_ = false;
    const int64_t job = submit([this] {
      char token = 0;
      std::vector<char> all(static_cast<size_t>(link_->size));
      gather(&token, all.data(), 1);
      if (nccl_) nccl_->close();
      meet();  // no exchange is allowed after `close`
      since_ = Clock::now();
      closing_ = true;
      link_->close();
      closed_ = true;
    });
    std::unique_lock<std::mutex> lock(mutex_);
    waiting_ = true;
    while (done_ < job && !failed_ && !stuck_) {
      changed_.wait_for(lock, kIdle);
      stuck_ = done_ < job && closing_ && seconds_since(since_) > kClose;
    }
    finalized_ = true;
    if (!problem_.empty()) fail(problem_);
    return !stuck_;
  }

  void check(const Reduction& r) const {
    if (!started_) fail("ranks are not connected");
    check_reduction(r, link_->rank, link_->size);
    if (on_gpu(r) && !nccl_) fail("tensors on the GPU need NCCL, which is not connected");
  }

  static bool on_gpu(const Reduction& r) { return !r.sums.empty() && r.sums[0]->device == Device::cuda; }

  Traffic traffic() {
    std::lock_guard<std::mutex> lock(mutex_);
    return traffic_;
  }

  // The following run on the engine's thread.

  void gather(const void* from, void* into, size_t bytes) {
    link_->gather(from, into, bytes);
    until([&] { return link_->done(); });
  }

  void spread(void* data, size_t bytes, int root) {
    link_->broadcast(data, bytes, root);
    until([&] { return link_->done(); });
  }

  void connect_gpus(const std::string& library) { nccl_ = nccl_exchange(library, *link_, untiler()); }

  void reduce(const Reduction& r) {
    if (!host_) host_ = host_exchange(*link_, untiler());
    const auto start = Clock::now();
    const double bytes = Reducer(on_gpu(r) ? *nccl_ : *host_, link_->size).run(r);
    std::lock_guard<std::mutex> lock(mutex_);
    traffic_.bytes += bytes;
    traffic_.seconds += seconds_since(start);
  }

 private:
  // A rank that did not arrive in time: the job is over.
  struct Abandoned {};

  void run(const Connect& connect, std::string& error) {
    std::unique_ptr<Link> link;
    std::string problem;
    try {
      link = connect();
    } catch (const std::exception& e) {
      problem = e.what();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    link_ = std::move(link);
    error = problem;
    started_ = problem.empty();
    changed_.notify_all();
    if (started_) work(lock);
  }

  void work(std::unique_lock<std::mutex>& lock) {
    while (abort_ < 0) {
      if (jobs_.empty() || failed_) {
        if (changed_.wait_for(lock, kIdle) == std::cv_status::timeout && !failed_ && !closed_)
          attempt(lock, [this] { link_->idle(); });
        continue;
      }
      std::function<void()> body = std::move(jobs_.front());
      jobs_.pop_front();
      attempt(lock, [&] {
        since_ = Clock::now();
        link_->arrive();
        body();
        if (!closed_) meet();
      });
      ended_.push_back(std::move(body));
      if (!failed_) ++done_;
      changed_.notify_all();
    }
    lock.unlock();
    link_->abort(abort_);
  }

  // Runs the body without the lock. If it throws, no job is run any more, and those who wait are told why.
  template <class Body>
  void attempt(std::unique_lock<std::mutex>& lock, Body&& body) {
    lock.unlock();
    std::string problem;
    bool ended = false;
    try {
      body();
      ended = true;
    } catch (const Abandoned&) {
    } catch (const std::exception& e) {
      problem = e.what();
    }
    lock.lock();
    if (ended) return;
    problem_ = problem;
    failed_ = true;
    changed_.notify_all();
    if (!nccl_) return;
    lock.unlock();
    nccl_->abort();
    lock.lock();
  }

  Until untiler() {
    return [this](const std::function<bool()>& done) { until(done); };
  }

  void meet() {
    until([&] { return link_->arrived(); });
  }

  template <class Done>
  void until(Done&& done) {
    const auto start = Clock::now();
    while (!done()) {
      link_->arrived();
      check_time();
      if (waiting_ && Clock::now() - start < kSpin)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(kPause);
    }
  }

  void check_time() {
    if (abort_ >= 0) link_->abort(abort_);
    // Rank 0 knows who is late and has begun the job at most one `timeout_` after this rank, or is late itself.
    if (!limited_ || seconds_since(since_) < timeout_ * (link_->rank == 0 ? 1 : 2)) return;
    std::lock_guard<std::mutex> lock(mutex_);
    late_ = link_->rank == 0 ? link_->missing() : Late{0};
    if (late_.empty()) late_ = {-1};
    throw Abandoned{};
  }

  std::unique_ptr<Link> link_;
  std::unique_ptr<Exchange> host_, nccl_;
  double timeout_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_, ended_;
  int64_t submitted_ = 0, done_ = 0;
  bool started_ = false, finalized_ = false, failed_ = false;
  bool stuck_ = false;   // the library did not disconnect in time
  bool closed_ = false;  // of the engine's thread
  std::atomic<bool> waiting_{false}, limited_{true}, closing_{false};
  std::atomic<int> abort_{-1};
  Late late_;
  std::string problem_;
  Traffic traffic_;
  Clock::time_point since_;  // when the job in progress began
};

}  // namespace

World init_mpi(const std::string& library, double timeout) {
  return Engine::get().start([library] { return connect_mpi(library); }, timeout);
}

World init_tcp(const Rendezvous& at, double timeout) {
  return Engine::get().start([at, timeout] { return connect_tcp(at, timeout); }, timeout);
}

Late use_nccl(const std::string& library) {
  Engine& engine = Engine::get();
  return engine.wait(engine.submit([&engine, library] { engine.connect_gpus(library); }));
}

int64_t reduce(Reduction reduction) {
  Engine& engine = Engine::get();
  engine.check(reduction);
  if (Engine::on_gpu(reduction)) reduction.ready = cuda::mark();
  auto job = std::make_shared<Reduction>(std::move(reduction));
  return engine.submit([job] { Engine::get().reduce(*job); });
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

bool finalize() { return Engine::get().finalize(); }

void abort(int status) { Engine::get().abort(status); }

}  // namespace morphmlp::comm
