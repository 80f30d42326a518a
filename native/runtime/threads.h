// One thread pool per process. Work is split into tasks by the shape of the problem alone and each task writes its own
// outputs, so results have the same bits for any number of threads. Hand-written, because the task boundaries of
// thread-pool libraries depend on the number of threads.
#pragma once
#include <cstddef>
#include <cstdint>

namespace morphmlp {

constexpr int kMaxThreads = 256;

int thread_count();
void set_thread_count(int n);  // 1..256; throws otherwise
int physical_cores();

using TaskFunction = void (*)(void* context, int64_t task);

// Runs task(context, 0..tasks-1) on the pool and the calling thread, and returns when all are done. Rethrows an
// exception of a task. Concurrent calls are serialized. A nested call runs on the calling thread alone.
void run_tasks(int64_t tasks, TaskFunction task, void* context);

template <class F>
void parallel_for(int64_t tasks, F&& body) {
  run_tasks(
      tasks, [](void* context, int64_t task) { (*static_cast<F*>(context))(task); }, &body);
}

// Scratch memory of the calling thread, aligned to 64 bytes, valid until the next call with the same slot (0..7). The
// thread reuses it until it ends.
float* scratch(int slot, int64_t floats);

}  // namespace morphmlp
