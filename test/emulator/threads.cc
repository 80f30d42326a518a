// The threads of a block as real threads, for ThreadSanitizer: a barrier is the only order between them, so what two
// threads do to the same memory without one is a race that it sees.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "test/emulator/cuda_shim.h"

namespace shim {

thread_local uint3 thread_index, block_index, grid_size;

namespace {

class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int turn = turn_;
    if (++waiting_ == threads_) return open();
    opened_.wait(lock, [&] { return turn_ != turn; });
  }

  // A thread that is done is not waited for.
  void leave() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (--threads_ == waiting_ && waiting_ > 0) open();
  }

 private:
  void open() {
    waiting_ = 0;
    ++turn_;
    opened_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable opened_;
  int threads_, waiting_ = 0, turn_ = 0;
};

struct Warp {
  explicit Warp(int lanes) : barrier(lanes) {}
  Barrier barrier;
  char slots[kWarp * kSlot] = {};
};

thread_local Barrier* block_barrier;
thread_local Warp* warp;
thread_local Copies own_copies;

void run_block(int threads, Body body, const void* kernel, void* shared, uint3 index, uint3 size) {
  Barrier barrier(threads);
  std::vector<std::unique_ptr<Warp>> warps;
  for (int i = 0; i < threads; i += kWarp) warps.push_back(std::make_unique<Warp>(std::min(kWarp, threads - i)));
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      thread_index = {static_cast<unsigned>(i), 0, 0};
      block_index = index;
      grid_size = size;
      block_barrier = &barrier;
      warp = warps[static_cast<size_t>(i / kWarp)].get();
      body(kernel, shared);
      warp->barrier.leave();
      barrier.leave();
    });
  for (std::thread& t : running) t.join();
}

}  // namespace

void sync_block() { block_barrier->wait(); }
void sync_warp() { warp->barrier.wait(); }
void* lane_slots() { return warp->slots; }
Copies& copies() { return own_copies; }

// TMA, mbarrier and wgmma run as fibers only.
Products& products() { std::abort(); }
char* shared_memory() { std::abort(); }
void wait_until(const std::function<bool()>&) { std::abort(); }
void change(const std::function<void()>&) { std::abort(); }
void later(std::function<void()>) { std::abort(); }
void watch_writes() { std::abort(); }
void fence_writes() { std::abort(); }
void publish(const void*, size_t) { std::abort(); }
const char* published_memory() { std::abort(); }
void wrote(void*, size_t) {}

void run_grid(int64_t x, int64_t y, int64_t z, int threads, size_t shared_bytes, Body body, const void* kernel) {
  const std::unique_ptr<char[]> shared(new char[shared_bytes]);
  const uint3 size = {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
  for (int64_t i = 0; i < x * y * z; ++i) {
    const uint3 index = {static_cast<unsigned>(i % x), static_cast<unsigned>(i / x % y),
                         static_cast<unsigned>(i / x / y)};
    std::memset(shared.get(), 0xFF, shared_bytes);
    run_block(threads, body, kernel, shared.get(), index, size);
  }
}

}  // namespace shim
