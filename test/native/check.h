// Helpers of the native test programs.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace check {

inline int& failures() {
  static int count = 0;
  return count;
}

// Reports a failure; prints the first 20 only.
template <class... Args>
void expect(bool ok, const char* format, Args... args) {
  if (ok) return;
  if (++failures() > 20) return;
  std::fprintf(stderr, "FAILED: ");
  if constexpr (sizeof...(Args) == 0) {
    std::fputs(format, stderr);
  } else {
    std::fprintf(stderr, format, args...);
  }
  std::fprintf(stderr, "\n");
}

// Deterministic pseudorandom numbers in [-1, 1).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2654435761u + 88172645463325252ull) {}
  float next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<float>(static_cast<double>(state_ >> 11) * 0x1p-52 - 1.0);
  }
  std::vector<float> fill(std::int64_t n) {
    std::vector<float> out(static_cast<std::size_t>(n));
    for (float& x : out) x = next();
    return out;
  }

 private:
  std::uint64_t state_;
};

inline bool same_bits(float a, float b) {
  std::uint32_t x, y;
  std::memcpy(&x, &a, 4);
  std::memcpy(&y, &b, 4);
  return x == y;
}

}  // namespace check
