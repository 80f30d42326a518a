// TMA for the emulation: boxes of 64 columns of a bf16 matrix, swizzled by 128 bytes as the CUDA programming guide
// defines it: chunk x of 16 bytes in line y of 128 bytes of shared memory is stored at x ^ y % 8. The destination is
// NaN until the copy completes, as late as possible: when no thread can continue without it.
#pragma once
#include "runtime/error.h"
#include "test/emulator/mbarrier.h"

namespace morphmlp::cuda {

struct TensorMap {
  const Bf16* data;
  int64_t rows, columns, leading;
  int box_rows;
};

namespace emulated {

constexpr int kColumns = 64, kChunk = 8;  // numbers in 128 and in 16 bytes

inline void copy_row(Bf16* to, const TensorMap& map, int column, int64_t row, uint32_t line) {
  for (int i = 0; i < kColumns; ++i) {
    const bool inside = row >= 0 && row < map.rows && column + i >= 0 && column + i < map.columns;
    const uint32_t chunk = static_cast<uint32_t>(i / kChunk) ^ line % 8;
    to[chunk * kChunk + static_cast<uint32_t>(i % kChunk)] =
        inside ? map.data[row * map.leading + column + i] : Bf16{0};
  }
}

}  // namespace emulated

inline void load_box(Bf16* to, const TensorMap& map, Mbarrier& barrier, int column, int row) {
  const uint32_t line = shared_address(to) / 128;
  if (shared_address(to) % 128 != 0) emulated::refuse("a box goes to where 128 bytes are not aligned");
  const int64_t bytes = int64_t{map.box_rows} * emulated::kColumns * static_cast<int64_t>(sizeof(Bf16));
  std::memset(static_cast<void*>(to), 0xFF, static_cast<size_t>(bytes));
  shim::publish(to, static_cast<size_t>(bytes));
  shim::later([=, &barrier] {
    for (int i = 0; i < map.box_rows; ++i)
      emulated::copy_row(to + i * emulated::kColumns, map, column, row + i, line + static_cast<uint32_t>(i));
    shim::publish(to, static_cast<size_t>(bytes));
    emulated::count(barrier, 0, -bytes);
  });
}

// Checks the requirements of cuTensorMapEncodeTiled.
inline TensorMap tensor_map(const Bf16* data, int64_t rows, int64_t columns, int64_t leading, int box_rows) {
  const bool aligned = reinterpret_cast<uintptr_t>(data) % 16 == 0 && leading % 8 == 0;
  const bool sized = rows > 0 && columns > 0 && rows <= INT64_C(1) << 32 && columns <= INT64_C(1) << 32;
  if (!aligned || !sized || leading < columns || box_rows < 1 || box_rows > 256)
    fail("the emulated TMA: a matrix that it cannot describe");
  return {data, rows, columns, leading, box_rows};
}

}  // namespace morphmlp::cuda
