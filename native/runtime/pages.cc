#include "runtime/pages.h"

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace morphmlp {
namespace {

constexpr size_t kLine = 64, kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSmall = size_t{64} << 10;  // below, the C library's heap does as well
constexpr size_t kLarge = size_t{8} << 20;   // from here on a block has huge pages of its own
constexpr size_t kSlab = size_t{32} << 20;   // shared by the blocks in between

// AddressSanitizer sees the ends of blocks of the C library only.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kShare = false;
#else
constexpr bool kShare = true;
#endif

size_t round_up(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

void* huge_pages(size_t bytes, size_t align) {
  void* data = std::aligned_alloc(align, round_up(bytes, align));
#if defined(__linux__)
  if (data) madvise(data, bytes, MADV_HUGEPAGE);  // the rest of the last page stays small, and is never touched
#endif
  return data;
}

// Blocks cut from slabs one behind the other. A slab ends with its last block.
class Slabs {
 public:
  // Never destroyed: threads that end late still give their blocks back.
  static Slabs& get() {
    static Slabs* instance = new Slabs;
    return *instance;
  }

  void* take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    void* data = take_hole(bytes);
    if (!data) data = cut(bytes);
    if (data) ++slabs_[slab_of(data)].blocks;
    return data;
  }

  void give(void* data, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    const uintptr_t slab = slab_of(data);
    if (--slabs_[slab].blocks == 0) return end(slab);
#if defined(__linux__)
    madvise(data, bytes, MADV_DONTNEED);
#endif
    holes_[bytes].push_back(data);
  }

 private:
  struct Slab {
    size_t used = 0, blocks = 0;
  };

  static uintptr_t slab_of(void* data) { return reinterpret_cast<uintptr_t>(data) / kSlab * kSlab; }

  void* take_hole(size_t bytes) {
    auto found = holes_.find(bytes);
    if (found == holes_.end() || found->second.empty()) return nullptr;
    void* data = found->second.back();
    found->second.pop_back();
    return data;
  }

  void* cut(size_t bytes) {
    if (!current_ || slabs_[current_].used + bytes > kSlab) {
      void* fresh = huge_pages(kSlab, kSlab);
      if (!fresh) return nullptr;
      current_ = slab_of(fresh);
      slabs_[current_] = {};
    }
    Slab& slab = slabs_[current_];
    void* data = reinterpret_cast<void*>(current_ + slab.used);
    slab.used += bytes;
    return data;
  }

  void end(uintptr_t slab) {
    for (auto& [bytes, places] : holes_) {
      std::vector<void*> kept;
      for (void* place : places)
        if (slab_of(place) != slab) kept.push_back(place);
      places.swap(kept);
    }
    if (slab == current_) current_ = 0;
    slabs_.erase(slab);
    std::free(reinterpret_cast<void*>(slab));
  }

  std::mutex mutex_;
  std::unordered_map<uintptr_t, Slab> slabs_;
  std::map<size_t, std::vector<void*>> holes_;
  uintptr_t current_ = 0;
};

bool shared(size_t bytes) { return kShare && bytes >= kSmall && bytes < kLarge; }

}  // namespace

void* take_pages(size_t bytes) {
  if (shared(bytes)) return Slabs::get().take(round_up(bytes, kPage));
  if (bytes >= kLarge) return huge_pages(bytes, kHugePage);
  return std::aligned_alloc(kLine, round_up(bytes, kLine));
}

void give_pages(void* data, size_t bytes) {
  if (data && shared(bytes)) return Slabs::get().give(data, round_up(bytes, kPage));
  std::free(data);
}

}  // namespace morphmlp
