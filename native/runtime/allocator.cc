#include "runtime/allocator.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/error.h"
#include "runtime/guarded.h"
#include "runtime/pages.h"
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

// Never destroyed: finalizers of other threads may still release blocks while the process exits.
Cache& cache() {
  static Cache* instance = new Cache;
  return *instance;
}

// Without these two AddressSanitizer would see neither the end of a request inside its size class, nor the use of a
// freed block.
void allow(void* data, size_t request, size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(data, request);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(data) + request, bytes - request);
#endif
  (void)data, (void)request, (void)bytes;
}

void forbid(void* data, size_t bytes) { allow(data, 0, bytes); }

void* take_cached(Cache& c, size_t bytes) {
  if (guarding()) return nullptr;
  auto found = c.free.find(bytes);
  if (found == c.free.end() || found->second.empty()) return nullptr;
  void* data = found->second.back();
  found->second.pop_back();
  c.stats.cached -= bytes;
  return data;
}

void drop_cache(Cache& c) {
  for (auto& entry : c.free)
    for (void* data : entry.second) give_pages(data, entry.first);
  c.free.clear();
  c.stats.cached = 0;
  return_pages();
}

void poison(void* data, size_t bytes) {
  allow(data, bytes, bytes);
  std::memset(data, 0xFF, bytes);
  forbid(data, bytes);
}

}  // namespace

size_t size_class(size_t bytes) {
  if (bytes <= kLine) return kLine;
  size_t step = kLine;
  while (step * 256 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

void* allocate(size_t request) {
  if (request > kLargest) fail("out of memory: " + std::to_string(request) + " bytes asked for at once");
  const size_t bytes = size_class(request);
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  const auto fresh = [&] { return guarding() ? guarded_allocate(request) : take_pages(bytes); };
  void* data = take_cached(c, bytes);
  if (!data) data = fresh();
  if (!data) {
    drop_cache(c);
    data = fresh();
  }
  if (!data)
    fail("out of memory: " + std::to_string(bytes) + " bytes asked for, " + std::to_string(c.stats.live) +
         " bytes of tensors are live");
  c.stats.live += bytes;
  c.stats.live_blocks += 1;
  c.stats.peak = std::max(c.stats.peak, c.stats.live);
  if (!guarding()) allow(data, request, bytes);
  return data;
}

void release(void* data, size_t request) {
  const size_t bytes = size_class(request);
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  c.stats.live -= bytes;
  c.stats.live_blocks -= 1;
  if (guarded_release(data)) return;
  if (in_shared_pages(data)) return give_pages(data, bytes);
  forbid(data, bytes);
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
    for (void* data : blocks) poison(data, bytes);
  for_each_free_piece(poison);
}

MemoryStats memory_stats() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  MemoryStats stats = c.stats;
  stats.cached += free_pages();
  return stats;
}

void reset_peak() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  c.stats.peak = c.stats.live;
}

}  // namespace morphmlp
