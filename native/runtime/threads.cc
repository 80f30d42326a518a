#include "runtime/threads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/allocator.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

constexpr int kMaxThreads = 256;
constexpr int kScratchSlots = 8;
constexpr int kSpins =
    4000;  // about 40 µs: longer than the gap between two kernels of a step, shorter than a nap costs

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

thread_local bool inside_task = false;

class Pool {
 public:
  static Pool& get() {
    static Pool* instance = new Pool;  // never destroyed: its threads end with the process
    return *instance;
  }

  int size() const { return threads_.load(std::memory_order_relaxed); }

  void resize(int n) {
    if (n < 1 || n > kMaxThreads) fail("threads: expected 1 to 256, got " + std::to_string(n));
    std::lock_guard<std::mutex> turn(turn_);
    const uint64_t seen = generation_.load();
    for (int worker = spawned_; worker < n - 1; ++worker)
      std::thread([this, worker, seen] { work(worker, seen); }).detach();
    spawned_ = std::max(spawned_, n - 1);
    threads_ = n;
  }

  void run(int64_t tasks, TaskFunction task, void* context) {
    std::lock_guard<std::mutex> turn(turn_);
    const int helpers = static_cast<int>(std::min<int64_t>(size(), tasks)) - 1;
    start(Job{tasks, task, context, helpers});
    drain();
    for (int spin = 0; running_.load(std::memory_order_acquire) != 0; ++spin)
      spin < kSpins ? pause() : std::this_thread::yield();  // a worker may have lost its core to another program
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  struct Job {
    int64_t tasks = 0;
    TaskFunction task = nullptr;
    void* context = nullptr;
    int helpers = 0;
  };

  Pool() {
    const char* wanted = std::getenv("MORPHMLP_THREADS");
    const int n = wanted ? std::atoi(wanted) : physical_cores();
    resize(n >= 1 && n <= kMaxThreads ? n : physical_cores());
  }

  // All spawned workers take part in the hand-shake of every job, so that none can see a job twice or a half-written
  // one.
  void start(const Job& job) {
    job_ = job;
    next_.store(0, std::memory_order_relaxed);
    running_.store(spawned_, std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(sleep_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
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
      seen = await(seen);
      if (worker < job_.helpers) drain();
      running_.fetch_sub(1, std::memory_order_release);
    }
  }

  uint64_t await(uint64_t seen) {
    for (int spin = 0; spin < kSpins; ++spin) {
      const uint64_t now = generation_.load(std::memory_order_acquire);
      if (now != seen) return now;
      pause();
    }
    std::unique_lock<std::mutex> lock(sleep_);
    wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
    return generation_.load(std::memory_order_acquire);
  }

  std::mutex turn_;  // one job at a time
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> running_{0};
  std::atomic<int> threads_{1};
  int spawned_ = 0;
  Job job_;
  std::exception_ptr error_;
};

struct Scratch {
  void* data[kScratchSlots] = {};
  size_t bytes[kScratchSlots] = {};
  ~Scratch() {
    for (int i = 0; i < kScratchSlots; ++i) std::free(data[i]);
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

void set_thread_count(int n) { Pool::get().resize(n); }

void run_tasks(int64_t tasks, TaskFunction task, void* context) {
  if (tasks <= 0) return;
  if (tasks > 1 && !inside_task && thread_count() > 1) return Pool::get().run(tasks, task, context);
  for (int64_t i = 0; i < tasks; ++i) task(context, i);
}

float* scratch(int slot, int64_t floats) {
  thread_local Scratch mine;
  const size_t bytes = (static_cast<size_t>(floats) * sizeof(float) + 4095) / 4096 * 4096;
  if (mine.bytes[slot] < bytes) {
    std::free(mine.data[slot]);
    mine.data[slot] = std::aligned_alloc(4096, bytes);
    mine.bytes[slot] = mine.data[slot] ? bytes : 0;
    if (!mine.data[slot]) fail("out of memory: " + std::to_string(bytes) + " bytes of scratch");
  }
  return static_cast<float*>(mine.data[slot]);
}

}  // namespace morphmlp
