// The emulated device. Its memory is an arena that may be touched only while a kernel or a copy runs, so that host code
// which follows a device pointer ends in a segmentation fault, as it would with a GPU. Blocks are filled with NaN when
// they are handed out, and lie apart, so that AddressSanitizer sees what leaves them. What is launched runs at once, or
// is kept while a graph is recorded. Its timer is the host's.
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda/runtime/block_cache.h"
#include "runtime/cuda.h"
#include "runtime/error.h"
#include "test/emulator/stream.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace morphmlp {
namespace cuda {

extern const Kernels kernels;

namespace {

constexpr size_t kArena = size_t{8} << 30;
constexpr size_t kLine = 256;
constexpr size_t kPage = 4096;
constexpr size_t kCacheBytes = size_t{1} << 20;

void* arena_allocate(size_t bytes);
void arena_free(void* data);

using Launches = std::vector<std::function<void()>>;

struct Arena {
  std::recursive_mutex mutex;
  char* base = nullptr;
  size_t used = 0;  // bytes from the start that were ever handed out
  int open = 0;
  std::multimap<size_t, char*> free;
  std::map<void*, size_t> sizes;
  BlockCache blocks{arena_allocate, arena_free};
  Launches* recorded = nullptr;
  const char* op = "";
  double started = 0;
};

Arena& arena() {
  static Arena* instance = [] {
    auto* a = new Arena;
    void* base = mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) fail("the emulated device found no memory");
    a->base = static_cast<char*>(base);
    return a;
  }();
  return *instance;
}

void protect(Arena& a, int how) {
  const size_t bytes = (a.used + kPage - 1) / kPage * kPage;
  if (bytes > 0) mprotect(a.base, bytes, how);
}

void allow([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
#endif
}

void forbid([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(data, bytes);
#endif
}

// A size class and the gap behind it.
void* arena_allocate(size_t bytes) {
  Arena& a = arena();
  const size_t whole = (bytes + kLine - 1) / kLine * kLine + kLine;
  char* data = nullptr;
  if (const auto found = a.free.find(whole); found != a.free.end()) {
    data = found->second;
    a.free.erase(found);
  } else {
    if (a.used + whole > kArena) return nullptr;
    data = a.base + a.used;
    a.used += whole;
    forbid(data, whole);
    if (a.open > 0) protect(a, PROT_READ | PROT_WRITE);
  }
  a.sizes[data] = whole;
  return data;
}

void arena_free(void* data) {
  Arena& a = arena();
  a.free.emplace(a.sizes[data], static_cast<char*>(data));
}

// The arena may be touched while one of these lives.
struct OpenMemory {
  OpenMemory() {
    arena().mutex.lock();
    if (arena().open++ == 0) protect(arena(), PROT_READ | PROT_WRITE);
  }
  ~OpenMemory() {
    if (--arena().open == 0) protect(arena(), PROT_NONE);
    arena().mutex.unlock();
  }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

void refuse_recording(const char* what) {
  if (arena().recorded) fail(std::string(what) + " cannot be recorded into a CUDA graph (in " + arena().op + ")");
}

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void submit(std::function<void()> launch) {
  Arena& a = arena();
  if (a.recorded) return a.recorded->push_back(std::move(launch));
  const OpenMemory open;
  launch();
}

}  // namespace

void* allocate(size_t request) {
  Arena& a = arena();
  const std::lock_guard<std::recursive_mutex> lock(a.mutex);
  void* data = a.blocks.take(request);
  if (!data) fail("out of GPU memory: " + std::to_string(request) + " bytes asked for");
  allow(data, request);
  if (a.recorded) return data;  // may hold what another recorded launch leaves there
  const OpenMemory open;
  std::memset(data, 0xFF, request);
  return data;
}

void release(void* data, size_t request) {
  Arena& a = arena();
  const std::lock_guard<std::recursive_mutex> lock(a.mutex);
  if (a.blocks.give(data, request)) forbid(data, request);
}

void release_cache() {
  const std::lock_guard<std::recursive_mutex> lock(arena().mutex);
  arena().blocks.drop();
}

// Blocks are filled when they are handed out, but not to a recording.
void poison_cache() {
  const OpenMemory open;
  arena().blocks.for_each_cached([](void* data, size_t bytes) {
    allow(data, bytes);
    std::memset(data, 0xFF, bytes);
    forbid(data, bytes);
  });
}

MemoryStats memory_stats() { return arena().blocks.stats; }
void reset_peak() { arena().blocks.stats.peak = arena().blocks.stats.live; }

void upload(void* to, const void* from, size_t bytes) {
  refuse_recording("a copy from the host");
  const OpenMemory open;
  std::memcpy(to, from, bytes);
}

void download(void* to, const void* from, size_t bytes) {
  refuse_recording("a copy to the host");
  const OpenMemory open;
  std::memcpy(to, from, bytes);
}

void upload_arguments(void* to, const void* from, size_t bytes) {
  const char* first = static_cast<const char*>(from);
  submit([to, kept = std::vector<char>(first, first + bytes)] { std::memcpy(to, kept.data(), kept.size()); });
}

void copy(void* to, const void* from, size_t bytes) {
  submit([=] { std::memcpy(to, from, bytes); });
}

void fill(void* data, int byte, size_t bytes) {
  submit([=] { std::memset(data, byte, bytes); });
}

void synchronize() { refuse_recording("waiting for the GPU"); }
void use_stream(void*) {}

bool is_device_memory(const void* data) {
  const Arena& a = arena();
  return data >= a.base && data < a.base + a.used;
}

void begin(const char* op) { arena().op = op; }
void launched() {}

void* native_stream() {
  static EmulatedStream stream{submit};
  return &stream;
}

namespace {

// Work of the side stream must follow an event that it waits for, since the kernels before it may still run on a GPU.
bool side_follows = false;

void submit_beside(std::function<void()> launch) {
  if (!side_follows) fail("the side stream was used without waiting for the kernels");
  const OpenMemory open;
  launch();
}

struct PastEvent : Event {
  bool passed() override { return true; }
};

}  // namespace

std::unique_ptr<Event> mark() {
  refuse_recording("an event");
  return std::make_unique<PastEvent>();
}

namespace side {

void* stream() {
  static EmulatedStream stream{submit_beside};
  return &stream;
}

void after(const Event&) { side_follows = true; }

std::unique_ptr<Event> mark() {
  side_follows = false;
  return std::make_unique<PastEvent>();
}

float* allocate(int64_t n) {
  const std::lock_guard<std::recursive_mutex> lock(arena().mutex);
  const size_t bytes = static_cast<size_t>(n) * sizeof(float);
  void* data = arena_allocate(bytes);
  if (!data) fail("out of GPU memory: " + std::to_string(bytes) + " bytes asked for");
  allow(data, bytes);
  return static_cast<float*>(data);
}

void release(float* data) {
  const std::lock_guard<std::recursive_mutex> lock(arena().mutex);
  forbid(data, arena().sizes[data]);
  arena_free(data);
}

void copy(float* to, const float* from, int64_t n) {
  submit_beside([=] { std::memcpy(to, from, static_cast<size_t>(n) * sizeof(float)); });
}

}  // namespace side

namespace {

void disown(BlockCache::Pool* pool) {
  const std::lock_guard<std::recursive_mutex> lock(arena().mutex);
  arena().blocks.disown(pool);
  delete pool;
}

struct EmulatedGraph : Graph {
  Launches launches;
  std::shared_ptr<BlockCache::Pool> pool;

  explicit EmulatedGraph(const Graph* beside)
      : pool(beside ? static_cast<const EmulatedGraph*>(beside)->pool
                    : std::shared_ptr<BlockCache::Pool>(new BlockCache::Pool, disown)) {}

  void replay() override {
    for (const auto& launch : launches) submit(launch);
  }
};

// The recording ends with the scope, however it is left.
struct Recording {
  explicit Recording(EmulatedGraph& graph) {
    arena().blocks.begin_recording(graph.pool.get());
    arena().recorded = &graph.launches;
  }
  ~Recording() {
    arena().recorded = nullptr;
    arena().blocks.end_recording();
  }
};

}  // namespace

std::unique_ptr<Graph> record(const std::function<void()>& body, const Graph* beside) {
  refuse_recording("a recording");
  auto graph = std::make_unique<EmulatedGraph>(beside);
  const Recording recording(*graph);
  body();
  return graph;
}

void start_timer() { arena().started = now_ms(); }
double stop_timer() { return now_ms() - arena().started; }

void flush_cache() {
  static void* const data = arena_allocate(2 * kCacheBytes);
  allow(data, 2 * kCacheBytes);
  fill(data, 0, 2 * kCacheBytes);
}

DeviceFacts device_facts() {
  DeviceFacts facts;
  facts.name = "emulated on the CPU, for tests";
  facts.architecture = "none";
  facts.driver = facts.runtime = "none";
  facts.multiprocessors = 1;
  facts.memory_bytes = size_t{16} << 20;
  facts.l2_bytes = kCacheBytes;
  return facts;
}

// A test may emulate a device without wgmma.
std::string wgmma_unavailable() {
  return std::getenv("MORPHMLP_EMULATED_LACKS_WGMMA") ? "MORPHMLP_EMULATED_LACKS_WGMMA is set" : "";
}
std::string compiled_for() { return "the emulation on the CPU, for tests"; }
std::string compiler_flags() { return "the emulation on the CPU, for tests"; }
std::string describe_device() { return "emulated on the CPU, for tests"; }
double clock_ms() { return now_ms(); }

}  // namespace cuda

const Kernels* cuda_kernels(std::string*) { return &cuda::kernels; }

}  // namespace morphmlp
