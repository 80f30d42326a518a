#include "runtime/pages.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

namespace morphmlp {
namespace {

constexpr size_t kLine = 64, kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSmall = size_t{64} << 10;  // below, the C library's heap does as well
constexpr size_t kStep = size_t{32} << 20;   // the range becomes usable in such steps
constexpr size_t kReserved = size_t{1} << 40, kLeastReserved = size_t{1} << 34;

// AddressSanitizer sees the ends of blocks of the C library only.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kShare = false;
#else
constexpr bool kShare = true;
#endif

size_t round_up(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// Addresses alone, which nobody may touch yet: no memory is asked for. Where addresses are rationed there is no range.
std::pair<uintptr_t, size_t> reserve() {
  rlimit limit{};
  if (!kShare || getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return {0, 0};
  for (size_t bytes = kReserved; bytes >= kLeastReserved; bytes /= 2) {
    void* data = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) continue;
    const uintptr_t start = round_up(reinterpret_cast<uintptr_t>(data), kHugePage);
    return {start, bytes - kHugePage};
  }
  return {0, 0};
}

// Makes reserved addresses usable; false where the system has not that much memory.
bool open(uintptr_t start, size_t bytes) {
  void* data = reinterpret_cast<void*>(start);
  if (mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0) return false;
#if defined(__linux__)
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return true;
}

class SharedRange {
 public:
  // Never destroyed: threads that end late still give their blocks back.
  static SharedRange& get() {
    static SharedRange* instance = new SharedRange;
    return *instance;
  }

  bool contains(const void* data) const {
    const auto at = reinterpret_cast<uintptr_t>(data);
    return at >= start_ && at < start_ + size_;
  }

  void* take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = by_size_.lower_bound({bytes, 0});
    if (found == by_size_.end()) {
      if (!grow(bytes)) return nullptr;
      found = by_size_.lower_bound({bytes, 0});
    }
    const uintptr_t at = found->second;
    const Piece piece = remove(at);
    const size_t kept = piece.kept > bytes ? piece.kept - bytes : 0;  // what was never used lies at the end of a piece
    if (piece.bytes > bytes) insert(at + bytes, {piece.bytes - bytes, kept});
    return reinterpret_cast<void*>(at);
  }

  void give(void* data, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    join(reinterpret_cast<uintptr_t>(data), {bytes, bytes});
  }

  size_t kept() {
    std::lock_guard<std::mutex> lock(mutex_);
    return kept_;
  }

  void return_all() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [at, piece] : free_) {
      const uintptr_t first = round_up(at, kPage), last = (at + piece.bytes) / kPage * kPage;
      if (piece.kept > 0 && last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
      piece.kept = 0;
    }
    kept_ = 0;
  }

  void for_each(const std::function<void(void*, size_t)>& body) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [at, piece] : free_)
      if (piece.kept > 0) body(reinterpret_cast<void*>(at), piece.bytes);
  }

 private:
  // A run of free addresses, so many of which have memory.
  struct Piece {
    size_t bytes, kept;
  };

  SharedRange() { std::tie(start_, size_) = reserve(); }

  // So many more addresses become usable that the last free piece has `bytes`.
  bool grow(size_t bytes) {
    const bool at_end = !free_.empty() && free_.rbegin()->first + free_.rbegin()->second.bytes == start_ + usable_;
    const size_t more = round_up(bytes - (at_end ? free_.rbegin()->second.bytes : 0), kStep);
    if (more > size_ - usable_ || !open(start_ + usable_, more)) return false;
    usable_ += more;
    join(start_ + usable_ - more, {more, 0});
    return true;
  }

  void join(uintptr_t at, Piece piece) {
    const auto next = free_.find(at + piece.bytes);
    if (next != free_.end()) piece = merged(piece, remove(next->first));
    const auto behind = free_.lower_bound(at);
    if (behind != free_.begin()) {
      const auto before = std::prev(behind);
      if (before->first + before->second.bytes == at) {
        at = before->first;
        piece = merged(piece, remove(at));
      }
    }
    insert(at, piece);
  }

  static Piece merged(const Piece& a, const Piece& b) { return {a.bytes + b.bytes, a.kept + b.kept}; }

  void insert(uintptr_t at, const Piece& piece) {
    free_.emplace(at, piece);
    by_size_.emplace(piece.bytes, at);
    kept_ += piece.kept;
  }

  Piece remove(uintptr_t at) {
    const auto found = free_.find(at);
    const Piece piece = found->second;
    by_size_.erase({piece.bytes, at});
    free_.erase(found);
    kept_ -= piece.kept;
    return piece;
  }

  std::mutex mutex_;
  uintptr_t start_ = 0;
  size_t size_ = 0, usable_ = 0, kept_ = 0;
  std::map<uintptr_t, Piece> free_;
  std::set<std::pair<size_t, uintptr_t>> by_size_;
};

}  // namespace

void* take_pages(size_t bytes) {
  void* shared = bytes >= kSmall ? SharedRange::get().take(round_up(bytes, kLine)) : nullptr;
  return shared ? shared : std::aligned_alloc(kLine, round_up(bytes, kLine));
}

void give_pages(void* data, size_t bytes) {
  if (in_shared_pages(data)) return SharedRange::get().give(data, round_up(bytes, kLine));
  std::free(data);
}

bool in_shared_pages(const void* data) { return SharedRange::get().contains(data); }

size_t free_pages() { return SharedRange::get().kept(); }

void return_pages() { SharedRange::get().return_all(); }

void for_each_free_piece(const std::function<void(void* data, size_t bytes)>& body) {
  SharedRange::get().for_each(body);
}

}  // namespace morphmlp
