#include "runtime/arena.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

namespace morphmlp {
namespace {

constexpr size_t kLine = 64, kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSmall = size_t{64} << 10;  // smaller blocks come from the C library's heap
constexpr size_t kStep = size_t{32} << 20;   // the usable part of the range grows in such steps
constexpr size_t kMaxReserved = size_t{1} << 40, kMinReserved = size_t{1} << 34;

// AddressSanitizer checks the bounds of heap blocks only.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kUseArena = false;
#else
constexpr bool kUseArena = true;
#endif

size_t round_up(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// Reserves addresses without memory or access: {start, bytes}, or {0, 0} if RLIMIT_AS is set.
std::pair<uintptr_t, size_t> reserve() {
  rlimit limit{};
  if (!kUseArena || getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return {0, 0};
  for (size_t bytes = kMaxReserved; bytes >= kMinReserved; bytes /= 2) {
    void* data = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) continue;
    const uintptr_t start = round_up(reinterpret_cast<uintptr_t>(data), kHugePage);
    return {start, bytes - kHugePage};
  }
  return {0, 0};
}

// Makes reserved addresses usable; false if the system is out of memory.
bool open(uintptr_t start, size_t bytes) {
  void* data = reinterpret_cast<void*>(start);
  if (mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0) return false;
#if defined(__linux__)
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return true;
}

class Arena {
 public:
  // Never destroyed, because threads that end late still free their scratch.
  static Arena& get() {
    static Arena* instance = new Arena;
    return *instance;
  }

  bool contains(const void* data) const {
    const auto at = reinterpret_cast<uintptr_t>(data);
    return at >= start_ && at < start_ + size_;
  }

  void* allocate(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = first_fit(bytes);
    if (found == free_.end()) {
      if (!grow(bytes)) return nullptr;
      found = first_fit(bytes);
    }
    const uintptr_t at = found->first;
    const FreeBlock block = remove(at);
    const size_t resident =
        block.resident > bytes ? block.resident - bytes : 0;  // untouched memory is at the end of a block
    if (block.bytes > bytes) insert(at + bytes, {block.bytes - bytes, resident});
    return reinterpret_cast<void*>(at);
  }

  void release(void* data, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    coalesce(reinterpret_cast<uintptr_t>(data), {bytes, bytes});
  }

  size_t resident() {
    std::lock_guard<std::mutex> lock(mutex_);
    return resident_;
  }

  void trim() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [at, block] : free_) {
      const uintptr_t first = round_up(at, kPage), last = (at + block.bytes) / kPage * kPage;
      if (block.resident > 0 && last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
      block.resident = 0;
    }
    resident_ = 0;
  }

  void for_each(const std::function<void(void*, size_t)>& body) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [at, block] : free_)
      if (block.resident > 0) body(reinterpret_cast<void*>(at), block.bytes);
  }

 private:
  // A free block and how many of its bytes hold memory.
  struct FreeBlock {
    size_t bytes, resident;
  };

  Arena() { std::tie(start_, size_) = reserve(); }

  // The free block of the lowest address that has `bytes`. There are some tens of free blocks.
  std::map<uintptr_t, FreeBlock>::iterator first_fit(size_t bytes) {
    return std::find_if(free_.begin(), free_.end(), [bytes](const auto& free) { return free.second.bytes >= bytes; });
  }

  // Extends the usable addresses until the last free block has `bytes`.
  bool grow(size_t bytes) {
    const bool at_end = !free_.empty() && free_.rbegin()->first + free_.rbegin()->second.bytes == start_ + usable_;
    const size_t more = round_up(bytes - (at_end ? free_.rbegin()->second.bytes : 0), kStep);
    if (more > size_ - usable_ || !open(start_ + usable_, more)) return false;
    usable_ += more;
    coalesce(start_ + usable_ - more, {more, 0});
    return true;
  }

  void coalesce(uintptr_t at, FreeBlock block) {
    const auto next = free_.find(at + block.bytes);
    if (next != free_.end()) block = merged(block, remove(next->first));
    const auto after = free_.lower_bound(at);
    if (after != free_.begin()) {
      const auto before = std::prev(after);
      if (before->first + before->second.bytes == at) {
        at = before->first;
        block = merged(block, remove(at));
      }
    }
    insert(at, block);
  }

  static FreeBlock merged(const FreeBlock& a, const FreeBlock& b) {
    return {a.bytes + b.bytes, a.resident + b.resident};
  }

  void insert(uintptr_t at, const FreeBlock& block) {
    free_.emplace(at, block);
    resident_ += block.resident;
  }

  FreeBlock remove(uintptr_t at) {
    const auto found = free_.find(at);
    const FreeBlock block = found->second;
    free_.erase(found);
    resident_ -= block.resident;
    return block;
  }

  std::mutex mutex_;
  uintptr_t start_ = 0;
  size_t size_ = 0, usable_ = 0, resident_ = 0;
  std::map<uintptr_t, FreeBlock> free_;
};

}  // namespace

void* arena_allocate(size_t bytes) {
  void* shared = bytes >= kSmall ? Arena::get().allocate(round_up(bytes, kLine)) : nullptr;
  return shared ? shared : std::aligned_alloc(kLine, round_up(bytes, kLine));
}

void arena_release(void* data, size_t bytes) {
  if (in_arena(data)) return Arena::get().release(data, round_up(bytes, kLine));
  std::free(data);
}

bool in_arena(const void* data) { return Arena::get().contains(data); }

size_t arena_cached() { return Arena::get().resident(); }

void arena_trim() { Arena::get().trim(); }

void for_each_free_block(const std::function<void(void* data, size_t bytes)>& body) { Arena::get().for_each(body); }

}  // namespace morphmlp
