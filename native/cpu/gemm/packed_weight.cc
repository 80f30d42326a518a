#include "cpu/gemm/packed_weight.h"

#include <cstring>
#include <mutex>

#include "cpu/blocks.h"
#include "runtime/allocator.h"
#include "runtime/derived_mutex.h"

namespace morphmlp::MORPHMLP_ISA {

PackedMemory::PackedMemory(const WeightMatrix& matrix, int64_t elements, bool f32, size_t element_bytes)
    : matrix_(matrix),
      isa_(kIsaName),
      f32_(f32),
      bytes_(static_cast<size_t>(elements) * element_bytes),
      data_(allocate(bytes_)) {}

PackedMemory::~PackedMemory() { release(data_, bytes_); }

bool PackedMemory::matches(const WeightMatrix& matrix, bool f32) const {
  return f32 == f32_ && std::strcmp(isa_, kIsaName) == 0 && matrix.n == matrix_.n && matrix.k == matrix_.k &&
         matrix.taps == matrix_.taps && matrix.lines == matrix_.lines && matrix.summed[0] == matrix_.summed[0] &&
         matrix.summed[1] == matrix_.summed[1];
}

namespace {

// Columns and reduction length of B, and the strides of B[depth][column] in the weight.
struct Layout {
  int64_t columns, depth, column_stride, depth_stride;
};

Layout layout_for(const WeightMatrix& w, Use use) {
  return use != Use::backward ? Layout{w.n, w.k, w.k, 1} : Layout{w.k, w.n, 1, w.k};
}

template <class E>
void pack(const float* w, const Layout& at, E* packed) {
  const int64_t panels_per_task = std::max<int64_t>(1, kElementBlock / (kPanel * std::max<int64_t>(1, at.depth)));
  for_blocks(panel_count(at.columns), panels_per_task, [&](int64_t first, int64_t last) {
    pack_panels(w, at.columns, at.depth, at.column_stride, at.depth_stride, packed, first, last);
  });
}

template <class E>
SharedWeight<E> pack(const float* w, const WeightMatrix& matrix, Use use) {
  const Layout at = layout_for(matrix, use);
  auto packed = std::make_shared<PackedWeight<E>>(matrix, packed_weight_size<E>(at.columns, at.depth));
  if (matrix.taps == 1) {
    pack(w, at, packed->data());
    return packed;
  }
  const PackedWeight<float> by_tap(matrix, matrix.n * matrix.k);  // as a temporary
  transpose_each(matrix.n, matrix.k / matrix.taps, matrix.taps, w, by_tap.data());
  pack(by_tap.data(), at, packed->data());
  return packed;
}

}  // namespace

void transpose_each(int64_t n, int64_t rows, int64_t cols, const float* from, float* to) {
  const int64_t size = rows * cols;
  for_blocks(n, blocks_of(kElementBlock, std::max<int64_t>(1, size)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t col = 0; col < cols; ++col) to[i * size + col * rows + row] = from[i * size + row * cols + col];
  });
}

template <class E>
SharedWeight<E> packed_weight(Buffer& weight, const WeightMatrix& matrix, Use use) {
  return packed_weight<E>(weight, matrix, use, [&](const float* values) { return pack<E>(values, matrix, use); });
}

template <class E>
SharedWeight<E> packed_weight(Buffer& weight, const WeightMatrix& matrix, Use use, const Packing<E>& pack) {
  const int slot = static_cast<int>(use);
  const auto lock = [] { return std::unique_lock<std::mutex>(derived_mutex()); };
  auto held = lock();
  const bool unchanged = weight.derived_version[slot] == weight.version + 1;
  const auto cached = std::static_pointer_cast<PackedWeight<E>>(weight.derived[slot]);
  if (unchanged && cached && cached->matches(matrix, PackedWeight<E>::kF32)) return cached;
  weight.derived[slot].reset();
  held.unlock();  // packing waits for the thread pool: two threads may both pack
  auto packed = pack(static_cast<const float*>(weight.data));
  held = lock();
  if (unchanged) weight.derived[slot] = packed;
  weight.derived_version[slot] = weight.version + 1;  // + 1: 0 means never used
  return packed;
}

#define INSTANTIATE(E)                                                       \
  template SharedWeight<E> packed_weight(Buffer&, const WeightMatrix&, Use); \
  template SharedWeight<E> packed_weight(Buffer&, const WeightMatrix&, Use, const Packing<E>&);
INSTANTIATE(float)
INSTANTIATE(Operand<Bf16>)

}  // namespace morphmlp::MORPHMLP_ISA
