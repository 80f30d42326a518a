// Device arrays, values and comparisons of the smoke cases.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <type_traits>

#include "cuda/workspace.h"
#include "ops/bf16.h"
#include "runtime/buffer.h"
#include "test/smoke/smoke.h"

namespace morphmlp::smoke {

inline double widened(float v) { return v; }
inline double widened(Bf16 v) {
  const uint32_t bits = static_cast<uint32_t>(v.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Cuts off the digits that T does not have.
template <class T>
T narrowed(float v) {
  if constexpr (std::is_same_v<T, float>) return v;
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof(bits));
  T value{};
  std::memcpy(&value, reinterpret_cast<const char*>(&bits) + sizeof(float) - sizeof(T), sizeof(T));
  return value;
}

// Multiples of 1/64 in [-1, 1] times `scale`: bf16 has them where the scale is a power of two, and f32 their products
// and sums, in any order.
inline std::vector<double> numbers(int64_t n, uint32_t seed, double scale = 1, double offset = 0) {
  std::vector<double> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    uint32_t h = static_cast<uint32_t>(i) * 2654435761u + seed * 40503u + 1;
    h = (h ^ h >> 15) * 2246822519u;
    h ^= h >> 13;
    x[i] = offset + scale * (static_cast<int>(h % 129) - 64) / 64.0;
  }
  return x;
}

// Device memory of a case, NaN until it is written.
class Memory {
 public:
  explicit Memory(int64_t bytes) : bytes_(static_cast<size_t>(bytes)), memory_(bytes) { poison(); }
  void poison() const { cuda::fill(memory_.data(), 0xFF, bytes_); }
  std::vector<char> bits() const {
    std::vector<char> all(bytes_);
    cuda::download(all.data(), memory_.data(), bytes_);
    return all;
  }
  void* address() const { return memory_.data(); }

 private:
  size_t bytes_;
  cuda::Workspace<char> memory_;
};

template <class T>
class Array : public Memory {
 public:
  explicit Array(int64_t length) : Memory(length * static_cast<int64_t>(sizeof(T))), length_(length) {}
  explicit Array(const std::vector<double>& values) : Array(static_cast<int64_t>(values.size())) { write(values); }

  void write(const std::vector<double>& values) {
    std::vector<T> own;
    for (const double v : values) own.push_back(narrowed<T>(static_cast<float>(v)));
    cuda::upload(address(), own.data(), own.size() * sizeof(T));
  }
  T* data() const { return static_cast<T*>(address()); }
  std::vector<double> read() const {
    const std::vector<char> all = bits();
    std::vector<double> values;
    for (int64_t i = 0; i < length_; ++i) {
      T value;
      std::memcpy(&value, &all[i * sizeof(T)], sizeof(T));
      values.push_back(widened(value));
    }
    return values;
  }

 private:
  int64_t length_;
};

// An f32 weight, as ops take it.
class Weight : public Array<float> {
 public:
  explicit Weight(const std::vector<double>& values)
      : Array<float>(values), buffer_(DType::f32, Device::cuda, static_cast<int64_t>(values.size()), address()) {}
  Buffer* buffer() { return &buffer_; }

 private:
  Buffer buffer_;
};

// Limits by the type of a result: rounding to bf16 changes a value by at most 2^-8 of it.
template <class T>
constexpr double kLimit = std::is_same_v<T, Bf16> ? 4e-3 : 2e-6;

inline void compare(Figures& figures, const char* what, const std::vector<double>& found,
                    const std::vector<double>& expected, double limit) {
  double error = found.size() == expected.size() ? 0 : INFINITY, largest = 0;
  for (const double v : expected) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    const double off = std::abs(found[i] - expected[i]) / largest;
    error = off == off ? std::max(error, off) : INFINITY;
  }
  const bool first = figures.limit == 0;
  if (!first && !(error / limit > figures.error / figures.limit)) return;
  figures.error = error, figures.limit = limit, figures.what = what;
}

// Launches twice from poisoned outputs, with the time of the second launch. Different bits count as infinitely wrong.
inline void launch_twice(Figures& figures, const std::vector<Memory*>& outputs, const std::function<void()>& launch) {
  const auto run = [&] {
    for (const Memory* output : outputs) output->poison();
    cuda::start_timer();
    launch();
    figures.ms = cuda::stop_timer();
    std::vector<std::vector<char>> bits;
    for (const Memory* output : outputs) bits.push_back(output->bits());
    return bits;
  };
  const auto first = run();
  if (first != run()) compare(figures, "the bits of a second launch", {INFINITY}, {1}, 1);
}

}  // namespace morphmlp::smoke
