// ldmatrix and mma.sync for the emulation, lane by lane as the PTX ISA lays out their fragments. The sum over k goes in
// order and in f32, where tensor cores add in an order of their own.
#pragma once
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

}  // namespace emulated

inline void ldmatrix(uint32_t (&to)[4], const void* row) {
  const int lane = shim::lane_index();
  shim::check_aligned(row, 16);
  shim::share(row);
  for (int i = 0; i < 4; ++i)
    std::memcpy(&to[i], emulated::row_of(i, lane / 4) + lane % 4 * sizeof(to[i]), sizeof(to[i]));
  shim::sync_warp();
}

inline void ldmatrix_trans(uint32_t (&to)[4], const Bf16* row) {
  const int lane = shim::lane_index();
  shim::check_aligned(row, 16);
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

}  // namespace morphmlp::cuda
