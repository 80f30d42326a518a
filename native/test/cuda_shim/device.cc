// The emulated device. Its memory is an arena that may be touched only while a kernel or a copy runs, so that host code
// which follows a device pointer ends in a segmentation fault, as it would with a GPU. Blocks are filled with NaN when
// they are handed out, and lie apart, so that AddressSanitizer sees what leaves them.
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime/cuda.h"
#include "runtime/error.h"
#include "test/cuda_shim/open_memory.h"
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

struct Arena {
  std::recursive_mutex mutex;
  char* base = nullptr;
  size_t used = 0;  // bytes from the start that were ever handed out
  int open = 0;
  std::multimap<size_t, char*> free;
  MemoryStats stats{};
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

size_t block_bytes(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine + kLine; }

}  // namespace

OpenMemory::OpenMemory() {
  arena().mutex.lock();
  if (arena().open++ == 0) protect(arena(), PROT_READ | PROT_WRITE);
}

OpenMemory::~OpenMemory() {
  if (--arena().open == 0) protect(arena(), PROT_NONE);
  arena().mutex.unlock();
}

void* allocate(size_t request) {
  Arena& a = arena();
  const std::lock_guard<std::recursive_mutex> lock(a.mutex);
  const size_t bytes = block_bytes(request);
  char* data = nullptr;
  if (const auto found = a.free.find(bytes); found != a.free.end()) {
    data = found->second;
    a.free.erase(found);
  } else {
    if (a.used + bytes > kArena) fail("out of GPU memory: " + std::to_string(request) + " bytes asked for");
    data = a.base + a.used;
    a.used += bytes;
    forbid(data, bytes);
  }
  const OpenMemory open;
  allow(data, request);
  protect(a, PROT_READ | PROT_WRITE);
  std::memset(data, 0xFF, request);
  a.stats.live += size_class(request);
  a.stats.live_blocks += 1;
  a.stats.peak = std::max(a.stats.peak, a.stats.live);
  return data;
}

void release(void* data, size_t request) {
  Arena& a = arena();
  const std::lock_guard<std::recursive_mutex> lock(a.mutex);
  forbid(data, request);
  a.free.emplace(block_bytes(request), static_cast<char*>(data));
  a.stats.live -= size_class(request);
  a.stats.live_blocks -= 1;
}

void release_cache() {}
void poison_cache() {}  // blocks are filled when they are handed out
MemoryStats memory_stats() { return arena().stats; }
void reset_peak() { arena().stats.peak = arena().stats.live; }

void upload(void* to, const void* from, size_t bytes) {
  const OpenMemory open;
  std::memcpy(to, from, bytes);
}

void download(void* to, const void* from, size_t bytes) {
  const OpenMemory open;
  std::memcpy(to, from, bytes);
}

void synchronize() {}
void use_stream(void*) {}

bool is_device_memory(const void* data) {
  const Arena& a = arena();
  return data >= a.base && data < a.base + a.used;
}

void begin(const char*) {}
std::string compiled_for() { return "the emulation on the CPU, for tests"; }
std::string describe_device() { return "emulated on the CPU, for tests"; }

double clock_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace cuda

const Kernels* cuda_kernels(std::string*) { return &cuda::kernels; }

}  // namespace morphmlp
