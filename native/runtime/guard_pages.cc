#include "runtime/guard_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>

namespace morphmlp {
namespace {

constexpr size_t kLine = 64;
constexpr int kPattern = 0xFF;  // a NaN, as floats

struct Block {
  uint8_t* base;   // start of the mapping, which has an inaccessible page at either end
  size_t mapped;   // bytes of the mapping
  size_t request;  // bytes of the block
};

std::atomic<bool> on{false};
std::mutex mutex;

std::unordered_map<const void*, Block>& blocks() {
  static auto* instance = new std::unordered_map<const void*, Block>;
  return *instance;
}

size_t page() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

bool intact(const uint8_t* from, const uint8_t* to) {
  return std::all_of(from, to, [](uint8_t byte) { return byte == kPattern; });
}

}  // namespace

void enable_guards(bool value) { on = value; }
bool guards_enabled() { return on; }

void* guarded_allocate(size_t request) {
  const size_t bytes = (std::max<size_t>(request, 1) + kLine - 1) / kLine * kLine;
  const size_t pages = (bytes + page() - 1) / page() * page();
  const size_t mapped = pages + 2 * page();
  void* base = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  uint8_t* first = static_cast<uint8_t*>(base) + page();
  if (mprotect(first, pages, PROT_READ | PROT_WRITE) != 0) {
    munmap(base, mapped);
    return nullptr;
  }
  std::memset(first, kPattern, pages);
  uint8_t* data = first + pages - bytes;
  std::lock_guard<std::mutex> lock(mutex);
  blocks()[data] = {static_cast<uint8_t*>(base), mapped, request};
  return data;
}

bool guarded_release(void* data) {
  std::lock_guard<std::mutex> lock(mutex);
  const auto found = blocks().find(data);
  if (found == blocks().end()) return false;
  munmap(found->second.base, found->second.mapped);
  blocks().erase(found);
  return true;
}

std::string guarded_damage(const void* data) {
  std::lock_guard<std::mutex> lock(mutex);
  const auto found = blocks().find(data);
  if (found == blocks().end()) return "";
  const Block& block = found->second;
  const auto* start = static_cast<const uint8_t*>(data);
  if (!intact(block.base + page(), start)) return "wrote before";
  if (!intact(start + block.request, block.base + block.mapped - page())) return "wrote behind";
  return "";
}

}  // namespace morphmlp
