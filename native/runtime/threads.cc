#include "runtime/threads.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/allocator.h"
#include "runtime/arena.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

constexpr int kScratchSlots = 8;
// About 0.3 ms: longer than the gap between two kernels of a model (0.1 ms of JavaScript), so that no worker sleeps
// during a step.
constexpr int kSpins = 16000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

thread_local bool inside_task = false;

// A mutex that threads get in the order in which they ask. With std::mutex, a thread that runs one job after the other
// keeps all others out.
class Turns {
 public:
  void lock() {
    const uint32_t mine = next_++;
    if (now_ == mine) return;
    std::unique_lock<std::mutex> lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [&] { return now_ == mine; });
    --waiting_;
  }

  // Reads `waiting_` after it wrote `now_`, and `lock` the other way round: no wake-up is lost.
  void unlock() {
    ++now_;
    if (waiting_ == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    changed_.notify_all();
  }

 private:
  std::atomic<uint32_t> next_{0}, now_{0}, waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

class Pool {
 public:
  static Pool& instance() {
    static Pool* instance = new Pool;  // never destroyed; its threads end with the process
    return *instance;
  }

  // Starts the threads at first use; if the system refuses them, the next call tries again.
  static Pool& get() {
    if (instance().size() == 0) instance().start();
    return instance();
  }

  int size() const { return threads_.load(std::memory_order_relaxed); }

  void resize(int n) {
    if (n < 1 || n > kMaxThreads) fail("threads: expected 1 to 256, got " + std::to_string(n));
    std::lock_guard<Turns> turn(turn_);
    spawn(n);
  }

  void run(int64_t tasks, TaskFunction task, void* context) {
    std::lock_guard<Turns> turn(turn_);
    open(Job{tasks, task, context});
    drain();
    close();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  struct Job {
    int64_t tasks = 0;
    TaskFunction task = nullptr;
    void* context = nullptr;
  };

  // state_ packs the number of workers in the job, whether the job is open, and its generation. Workers join an open
  // job. The caller does not wait for workers that have not joined, since another program may occupy their core.
  static constexpr uint64_t kInside = 0xffff, kOpen = 1 << 16;
  static constexpr int kGenerationShift = 17;

  void start() {
    std::lock_guard<Turns> turn(turn_);
    if (size() > 0) return;
    const char* wanted = std::getenv("MORPHMLP_THREADS");
    spawn(wanted && *wanted ? parsed(wanted) : physical_cores());
  }

  static int parsed(const std::string& wanted) {
    char* end = nullptr;
    const long n = std::strtol(wanted.c_str(), &end, 10);
    if (*end || n < 1 || n > kMaxThreads) fail("MORPHMLP_THREADS: expected 1 to 256, got '" + wanted + "'");
    return static_cast<int>(n);
  }

  // Address space kept free while threads start: stacks that fill a limit to its end would leave nothing for the host
  // program, and V8 ends the process when it cannot grow its heap.
  struct Headroom {
    static constexpr size_t kBytes = size_t{64} << 20;
    void* const range = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    ~Headroom() {
      if (range != MAP_FAILED) munmap(range, kBytes);
    }
  };

  // If the system refuses a thread, those started remain and idle until the pool has that size.
  void spawn(int n) {
    const Headroom headroom;
    const uint64_t seen = state_.load() >> kGenerationShift;
    try {
      for (; spawned_ < n - 1; ++spawned_)
        std::thread([this, worker = spawned_, seen] { work(worker, seen); }).detach();
    } catch (const std::system_error& error) {
      fail("threads: the system started " + std::to_string(spawned_ + 1) + " of " + std::to_string(n) + " (" +
           error.what() + "); MORPHMLP_THREADS sets a smaller number");
    }
    threads_ = n;
  }

  void open(const Job& job) {
    job_ = job;
    next_.store(0, std::memory_order_relaxed);
    const uint64_t generation = (state_.load(std::memory_order_relaxed) >> kGenerationShift) + 1;
    std::lock_guard<std::mutex> lock(sleep_);
    state_.store(generation << kGenerationShift | kOpen, std::memory_order_release);
    if (sleeping_ > 0) wake_.notify_all();
  }

  void close() {
    state_.fetch_and(~kOpen, std::memory_order_acq_rel);
    for (int spin = 0; (state_.load(std::memory_order_acquire) & kInside) != 0; ++spin)
      spin < kSpins ? pause() : std::this_thread::yield();
  }

  void drain() {
    inside_task = true;
    try {
      for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < job_.tasks;) job_.task(job_.context, i);
    } catch (...) {
      std::lock_guard<std::mutex> lock(sleep_);
      error_ = std::current_exception();
    }
    inside_task = false;
  }

  void work(int worker, uint64_t seen) {
    for (;;) {
      await(worker, seen);
      if (!join(seen)) continue;
      drain();
      state_.fetch_sub(1, std::memory_order_release);
    }
  }

  bool ready(int worker, uint64_t seen) const {
    const uint64_t now = state_.load(std::memory_order_acquire);
    return (now & kOpen) != 0 && now >> kGenerationShift != seen && worker < size() - 1;
  }

  // Joins the open job and stores its generation; false if it was closed meanwhile.
  bool join(uint64_t& seen) {
    uint64_t now = state_.load(std::memory_order_acquire);
    while ((now & kOpen) != 0) {
      if (!state_.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel)) continue;
      seen = now >> kGenerationShift;
      return true;
    }
    return false;
  }

  void await(int worker, uint64_t seen) {
    for (int spin = 0; spin < kSpins; ++spin) {
      if (ready(worker, seen)) return;
      pause();
    }
    std::unique_lock<std::mutex> lock(sleep_);
    ++sleeping_;
    wake_.wait(lock, [&] { return ready(worker, seen); });
    --sleeping_;
  }

  Turns turn_;  // serializes jobs
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<uint64_t> state_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> threads_{0};  // until start()
  int sleeping_ = 0;
  int spawned_ = 0;
  Job job_;
  std::exception_ptr error_;
};

struct Scratch {
  void* data[kScratchSlots] = {};
  size_t bytes[kScratchSlots] = {};
  ~Scratch() {
    for (int i = 0; i < kScratchSlots; ++i) arena_release(data[i], bytes[i]);
  }
};

int cores_from_cpuinfo() {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::pair<std::string, std::string>> cores;
  std::string line, package;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    if (line.rfind("physical id", 0) == 0) package = line.substr(colon);
    if (line.rfind("core id", 0) == 0) cores.insert({package, line.substr(colon)});
  }
  return static_cast<int>(cores.size());
}

}  // namespace

int physical_cores() {
  const int logical = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int cores = cores_from_cpuinfo();
  return std::min(kMaxThreads, cores > 0 && cores <= logical ? cores : logical);
}

int thread_count() { return Pool::get().size(); }

void set_thread_count(int n) { Pool::instance().resize(n); }

void run_tasks(int64_t tasks, TaskFunction task, void* context) {
  if (tasks <= 0) return;
  if (tasks > 1 && !inside_task && thread_count() > 1) return Pool::get().run(tasks, task, context);
  for (int64_t i = 0; i < tasks; ++i) task(context, i);
}

float* scratch(int slot, int64_t floats) {
  thread_local Scratch mine;
  const size_t bytes = (static_cast<size_t>(floats) * sizeof(float) + 4095) / 4096 * 4096;
  if (mine.bytes[slot] < bytes) {
    arena_release(mine.data[slot], mine.bytes[slot]);
    mine.data[slot] = arena_allocate(bytes);
    mine.bytes[slot] = mine.data[slot] ? bytes : 0;
    if (!mine.data[slot])
      fail("out of memory: " + std::to_string(bytes) + " bytes of scratch requested, " +
           std::to_string(memory_stats().live) + " bytes of tensors are live");
  }
  return static_cast<float*>(mine.data[slot]);
}

}  // namespace morphmlp
