// ldmatrix and mma.sync for the emulation, lane by lane as the PTX ISA lays out their fragments. In bf16 the sum over k
// goes in order and in f32, where tensor cores add in an order of their own; in TF32 it is cut off as theirs is.
#pragma once
#include <algorithm>

#include "cuda/numbers.h"

namespace morphmlp::cuda {

namespace emulated {

// The row r of matrix i that lane 8 i + r has given.
inline const char* row_of(int matrix, int r) {
  const char* row;
  std::memcpy(&row, shim::slot_of(8 * matrix + r), sizeof(row));
  return row;
}

struct Fragments {
  uint32_t a[4], b[2];
};

inline float half_of(uint32_t word, int half) {
  const uint32_t bits = half ? word & 0xFFFF0000u : word << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// a[row, k] is in lane 4 (row % 8) + k % 8 / 2, word row / 8 + 2 (k / 8); b[k, column] in lane 4 column + k % 8 / 2,
// word k / 8. Odd k are upper halves.
inline float a_at(int row, int k) {
  const auto* from = reinterpret_cast<const Fragments*>(shim::slot_of(row % 8 * 4 + k % 8 / 2));
  return half_of(from->a[row / 8 + k / 8 * 2], k % 2);
}
inline float b_at(int k, int column) {
  const auto* from = reinterpret_cast<const Fragments*>(shim::slot_of(column * 4 + k % 8 / 2));
  return half_of(from->b[k / 8], k % 2);
}

// In TF32, a[row, k] is in lane 4 (row % 8) + k % 4, word row / 8 + 2 (k / 4); b[k, column] in lane 4 column + k % 4,
// word k / 4. Of a word the upper 19 bits count.
inline float tf32_of(uint32_t word) { return load_bits(word & 0xFFFFE000u); }
inline float tf32_a_at(int row, int k) {
  const auto* from = reinterpret_cast<const Fragments*>(shim::slot_of(row % 8 * 4 + k % 4));
  return tf32_of(from->a[row / 8 + k / 4 * 2]);
}
inline float tf32_b_at(int k, int column) {
  const auto* from = reinterpret_cast<const Fragments*>(shim::slot_of(column * 4 + k % 4));
  return tf32_of(from->b[k / 4]);
}

// The exponent of a number that is not subnormal, as its bits have it, and the power of two with that exponent.
constexpr int kFraction = 52;
inline int exponent_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<int>(bits >> kFraction & 0x7FF);
}
inline double power_of_two(int exponent) {
  const uint64_t bits = static_cast<uint64_t>(exponent) << kFraction;
  double x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// x without what is below the last of so many significant bits under this exponent.
inline double cut_off(double x, int exponent, int bits) {
  const double unit = power_of_two(exponent - bits + 1);
  return std::trunc(x / unit) * unit;
}

// What tensor cores make of a sum and of kTerms exact products: all aligned to the largest, cut off one bit beyond
// those of f32, added, and cut off to f32. As measured by M. Fasi et al., "Numerical behavior of NVIDIA tensor cores"
// (2021), on an A100, which takes four products of TF32 at once; newer GPUs keep more.
constexpr int kTerms = 4, kBits = 24, kExtraBits = 1;
inline float add_products(float sum, const double (&products)[kTerms]) {
  int largest = exponent_of(sum);
  for (double p : products) largest = std::max(largest, exponent_of(p));
  if (largest == 0 || largest == 0x7FF)
    return sum + static_cast<float>(products[0] + products[1] + products[2] + products[3]);
  double total = cut_off(sum, largest, kBits + kExtraBits);
  for (double p : products) total += cut_off(p, largest, kBits + kExtraBits);
  return static_cast<float>(total == 0 ? total : cut_off(total, exponent_of(total), kBits));
}

}  // namespace emulated

inline void ldmatrix(uint32_t (&to)[4], const void* row) {
  const int lane = shim::lane_index();
  shim::share(row);
  for (int i = 0; i < 4; ++i)
    std::memcpy(&to[i], emulated::row_of(i, lane / 4) + lane % 4 * sizeof(to[i]), sizeof(to[i]));
  shim::sync_warp();
}

inline void ldmatrix_trans(uint32_t (&to)[4], const Bf16* row) {
  const int lane = shim::lane_index();
  shim::share(row);
  for (int i = 0; i < 4; ++i) {
    const auto* low = reinterpret_cast<const Bf16*>(emulated::row_of(i, lane % 4 * 2));
    const auto* high = reinterpret_cast<const Bf16*>(emulated::row_of(i, lane % 4 * 2 + 1));
    to[i] = low[lane / 4].bits | static_cast<uint32_t>(high[lane / 4].bits) << 16;
  }
  shim::sync_warp();
}

inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const int lane = shim::lane_index();
  shim::share(emulated::Fragments{{a[0], a[1], a[2], a[3]}, {b0, b1}});
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) d[i] = fmaf(emulated::a_at(row, k), emulated::b_at(k, column), d[i]);
  }
  shim::sync_warp();
}

inline uint32_t rounded_to_tf32(float value) {
  const uint32_t bits = bits_of(value);
  return std::isfinite(value) ? (bits + 0x1000) & 0xFFFFE000u : bits;
}

inline void mma_m16n8k8(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  const int lane = shim::lane_index();
  shim::share(emulated::Fragments{{a[0], a[1], a[2], a[3]}, {b0, b1}});
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 8; k += emulated::kTerms) {
      double products[emulated::kTerms];
      for (int t = 0; t < emulated::kTerms; ++t)
        products[t] = static_cast<double>(emulated::tf32_a_at(row, k + t)) * emulated::tf32_b_at(k + t, column);
      d[i] = emulated::add_products(d[i], products);
    }
  }
  shim::sync_warp();
}

}  // namespace morphmlp::cuda
