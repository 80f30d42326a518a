#include "runtime/allocator.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/arena.h"
#include "runtime/error.h"
#include "runtime/guard_pages.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace morphmlp {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kLargest = size_t{1} << 46;

struct Cache {
  std::mutex mutex;
  std::unordered_map<size_t, std::vector<void*>> free;
  MemoryStats stats{};
};

// Never destroyed, because finalizers of other threads may release blocks while the process exits.
Cache& cache() {
  static Cache* instance = new Cache;
  return *instance;
}

// Tells AddressSanitizer that the first `request` bytes of a block may be used and the rest may not.
void unpoison(void* data, size_t request, size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(data, request);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(data) + request, bytes - request);
#endif
  (void)data, (void)request, (void)bytes;
}

void poison_block(void* data, size_t bytes) { unpoison(data, 0, bytes); }

void* pop_cached(Cache& c, size_t bytes) {
  if (guards_enabled()) return nullptr;
  auto found = c.free.find(bytes);
  if (found == c.free.end() || found->second.empty()) return nullptr;
  void* data = found->second.back();
  found->second.pop_back();
  c.stats.cached -= bytes;
  return data;
}

void drop_cache(Cache& c) {
  for (auto& entry : c.free)
    for (void* data : entry.second) arena_release(data, entry.first);
  c.free.clear();
  c.stats.cached = 0;
  arena_trim();
}

void fill_with_nan(void* data, size_t bytes) {
  unpoison(data, bytes, bytes);
  std::memset(data, 0xFF, bytes);
  poison_block(data, bytes);
}

}  // namespace

size_t size_class(size_t bytes) {
  if (bytes <= kLine) return kLine;
  size_t step = kLine;
  while (step * 256 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

void* allocate(size_t request) {
  if (request > kLargest) fail("out of memory: " + std::to_string(request) + " bytes requested at once");
  const size_t bytes = size_class(request);
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  const auto fresh = [&] { return guards_enabled() ? guarded_allocate(request) : arena_allocate(bytes); };
  void* data = pop_cached(c, bytes);
  if (!data) data = fresh();
  if (!data) {
    drop_cache(c);
    data = fresh();
  }
  if (!data)
    fail("out of memory: " + std::to_string(bytes) + " bytes requested, " + std::to_string(c.stats.live) +
         " bytes of tensors are live");
  c.stats.live += bytes;
  c.stats.live_blocks += 1;
  c.stats.peak = std::max(c.stats.peak, c.stats.live);
  if (!guards_enabled()) unpoison(data, request, bytes);
  return data;
}

void release(void* data, size_t request) {
  const size_t bytes = size_class(request);
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  c.stats.live -= bytes;
  c.stats.live_blocks -= 1;
  if (guarded_release(data)) return;
  if (in_arena(data)) return arena_release(data, bytes);
  poison_block(data, bytes);
  c.free[bytes].push_back(data);
  c.stats.cached += bytes;
}

void release_cache() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  drop_cache(c);
}

void poison_cache() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  for (auto& [bytes, blocks] : c.free)
    for (void* data : blocks) fill_with_nan(data, bytes);
  for_each_free_block(fill_with_nan);
}

MemoryStats memory_stats() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  MemoryStats stats = c.stats;
  stats.cached += arena_cached();
  return stats;
}

void reset_peak() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  c.stats.peak = c.stats.live;
}

}  // namespace morphmlp
