// The threads of a block as fibers of one thread, warp by warp. A warp runs until all its lanes wait for the block (or
// are done), then the next one does: the order in which a forgotten __syncthreads shows.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "test/emulator/cuda_shim.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace shim {

thread_local uint3 thread_index, block_index, grid_size;

namespace {

constexpr size_t kStack = size_t{256} << 10;

enum class At { ready, warp, block, event, done };

#if defined(__x86_64__)

// Saves the registers that a call must keep and the stack's pointer to *from, and goes on with the stack `to`.
extern "C" void morphmlp_shim_switch(void** from, void* to);
asm(R"(
.text
.globl morphmlp_shim_switch
.hidden morphmlp_shim_switch
.type morphmlp_shim_switch, @function
morphmlp_shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size morphmlp_shim_switch, .-morphmlp_shim_switch
)");

struct Context {
  void* sp = nullptr;

  void start(char* stack, size_t bytes, void (*entry)()) {
    auto* top = reinterpret_cast<void**>(stack + bytes);
    *--top = nullptr;  // where a return address would be: keeps the stack aligned as after a call
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    sp = top;
  }
  static void change(Context& from, Context& to) { morphmlp_shim_switch(&from.sp, to.sp); }
};

#else

struct Context {
  ucontext_t context;

  void start(char* stack, size_t bytes, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = bytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  static void change(Context& from, Context& to) { swapcontext(&from.context, &to.context); }
};

#endif

struct Fiber {
  Context context;
  char* stack = nullptr;
  At at = At::done;
  Copies copies;
  Products products;
  std::function<bool()> holds;                          // what it waits for, at an event
  std::vector<std::pair<const void*, size_t>> written;  // since its last fence
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<char> slots;
  Context scheduler;
  int running = 0, threads = 0;
  Body body = nullptr;
  const void* kernel = nullptr;
  void* shared = nullptr;
  size_t shared_bytes = 0;
  std::vector<char> published;  // empty unless TMA or wgmma is used
  const void* main_stack = nullptr;
  size_t main_bytes = 0;
  std::vector<std::function<void()>> later;
};

thread_local Block block;

void note_stack([[maybe_unused]] void** fake, [[maybe_unused]] const void* stack, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake, stack, bytes);
#endif
}

void arrived([[maybe_unused]] void* fake, [[maybe_unused]] const void** from, [[maybe_unused]] size_t* bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, from, bytes);
#endif
}

void to_scheduler(At at) {
  Fiber& fiber = block.fibers[block.running];
  fiber.at = at;
  void* fake = nullptr;
  note_stack(at == At::done ? nullptr : &fake, block.main_stack, block.main_bytes);
  Context::change(fiber.context, block.scheduler);
  arrived(fake, &block.main_stack, &block.main_bytes);
}

void fiber_main() {
  arrived(nullptr, &block.main_stack, &block.main_bytes);
  block.body(block.kernel, block.shared);
  to_scheduler(At::done);
  std::abort();  // a fiber that is done is never gone on with
}

void run_fiber(int i) {
  Fiber& fiber = block.fibers[i];
  block.running = i;
  thread_index = {static_cast<unsigned>(i), 0, 0};
  void* fake = nullptr;
  note_stack(&fake, fiber.stack, kStack);
  Context::change(block.scheduler, fiber.context);
  arrived(fake, nullptr, nullptr);
}

void make_fibers(int threads) {
  while (static_cast<int>(block.fibers.size()) < threads) {
    void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) std::abort();
    block.fibers.push_back({});
    block.fibers.back().stack = static_cast<char*>(stack);
  }
  block.threads = threads;
  block.published.clear();
  block.slots.resize(static_cast<size_t>(threads + kWarp) * kSlot);
  for (int i = 0; i < threads; ++i) {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(block.fibers[i].stack, kStack);  // the frames of a fiber that ended were never left
#endif
    block.fibers[i].context.start(block.fibers[i].stack, kStack, fiber_main);
    block.fibers[i].at = At::ready;
    block.fibers[i].copies = {};
    block.fibers[i].products = {};
    block.fibers[i].written.clear();
  }
}

int count(int begin, int end, At at) {
  int n = 0;
  for (int i = begin; i < end; ++i) n += block.fibers[i].at == at;
  return n;
}

void release(int begin, int end, At at) {
  for (int i = begin; i < end; ++i)
    if (block.fibers[i].at == at) block.fibers[i].at = At::ready;
}

void wake(int begin, int end) {
  for (int i = begin; i < end; ++i)
    if (block.fibers[i].at == At::event && block.fibers[i].holds()) block.fibers[i].at = At::ready;
}

bool run_ready(int begin, int end) {
  bool ran = false;
  for (int i = begin; i < end; ++i) {
    if (block.fibers[i].at != At::ready) continue;
    run_fiber(i);
    ran = true;
  }
  return ran;
}

[[noreturn]] void refuse(const char* what) {
  std::fprintf(stderr, "cuda_shim: %s\n", what);
  std::abort();
}

// Runs the lanes of the warp until all wait; returns whether any made progress.
bool run_warp(int begin, int end) {
  for (bool ran = false;; release(begin, end, At::warp)) {
    for (wake(begin, end); run_ready(begin, end); wake(begin, end)) ran = true;
    const int waiting = count(begin, end, At::warp);
    if (waiting == 0 || count(begin, end, At::event) > 0) return ran;
    if (waiting + count(begin, end, At::done) != end - begin) refuse("lanes of a warp wait at different barriers");
  }
}

// The youngest first: copies arrive in no order.
bool finish_one() {
  if (block.later.empty()) return false;
  const std::function<void()> what = std::move(block.later.back());
  block.later.pop_back();
  what();
  return true;
}

void run_block() {
  while (count(0, block.threads, At::done) < block.threads) {
    bool ran = false;
    for (int begin = 0; begin < block.threads; begin += kWarp)
      ran = run_warp(begin, std::min(begin + kWarp, block.threads)) || ran;
    if (count(0, block.threads, At::event) == 0)
      release(0, block.threads, At::block);
    else if (!ran && !finish_one())
      refuse("threads wait for an event that no thread causes");
  }
  if (!block.later.empty()) refuse("a block ended before its copies arrived");
}

// In shared memory; of what lies before it, beyond all that is there.
size_t offset_of(const void* what) {
  return static_cast<size_t>(reinterpret_cast<uintptr_t>(what) - reinterpret_cast<uintptr_t>(block.shared));
}

}  // namespace

void sync_block() { to_scheduler(At::block); }
void sync_warp() { to_scheduler(At::warp); }
void* lane_slots() { return &block.slots[static_cast<size_t>(block.running / kWarp * kWarp) * kSlot]; }
Copies& copies() { return block.fibers[block.running].copies; }
Products& products() { return block.fibers[block.running].products; }
char* shared_memory() { return static_cast<char*>(block.shared); }
const char* published_memory() { return block.published.data(); }

void watch_writes() {
  if (block.published.empty()) block.published.assign(block.shared_bytes, '\xFF');
}

void publish(const void* what, size_t bytes) { std::memcpy(&block.published[offset_of(what)], what, bytes); }

void wrote(void* to, size_t bytes) {
  if (offset_of(to) >= block.published.size()) return;
  std::memset(&block.published[offset_of(to)], 0xFF, bytes);
  block.fibers[block.running].written.emplace_back(to, bytes);
}

void fence_writes() {
  for (const auto& [what, bytes] : block.fibers[block.running].written) publish(what, bytes);
  block.fibers[block.running].written.clear();
}

void change(const std::function<void()>& how) { how(); }
void later(std::function<void()> what) { block.later.push_back(std::move(what)); }

void wait_until(const std::function<bool()>& holds) {
  if (holds()) return;
  block.fibers[block.running].holds = holds;
  to_scheduler(At::event);
}

void run_grid(int64_t x, int64_t y, int64_t z, int threads, size_t shared_bytes, Body body, const void* kernel) {
  const std::unique_ptr<char, void (*)(void*)> shared(
      static_cast<char*>(std::aligned_alloc(1024, (shared_bytes + 1023) / 1024 * 1024)), std::free);
  block.body = body;
  block.kernel = kernel;
  block.shared = shared.get();
  block.shared_bytes = shared_bytes;
  grid_size = {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
  for (int64_t i = 0; i < x * y * z; ++i) {
    block_index = {static_cast<unsigned>(i % x), static_cast<unsigned>(i / x % y), static_cast<unsigned>(i / x / y)};
    std::memset(shared.get(), 0xFF, shared_bytes);
    make_fibers(threads);
    run_block();
  }
}

}  // namespace shim
