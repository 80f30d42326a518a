// Cache of weights packed for gemm_block. If a weight is used twice without a write in between (evaluation,
// prediction), its packed form is cached in its buffer; a weight that changes every step (training) is packed into a
// temporary.
#pragma once
#include <functional>
#include <memory>

#include "cpu/gemm/gemm.h"
#include "runtime/buffer.h"

namespace morphmlp::MORPHMLP_ISA {

// forward: y = x W^T. backward: dx = dy W. pooled: sums of y over the tokens of a chunk (norm_spatial_pool.cc).
enum class Use : int { forward, backward, pooled };

// A PyTorch weight [n, k]. If taps > 1 (channels-last convolution), its rows are [k / taps][taps] in memory and are
// repacked in im2col order, [taps][k / taps]. `lines` > 0 is the number of matrices of a grouped convolution
// (conv3d_groups.cc). `summed` holds the number of token rows in each of up to two sums of Use::pooled.
struct WeightMatrix {
  int64_t n, k, taps = 1, lines = 0;
  int64_t summed[2] = {0, 0};
};

// Memory of a packed weight whose elements have `element_bytes` bytes.
class PackedMemory : public Derived {
 public:
  PackedMemory(const WeightMatrix& matrix, int64_t elements, bool f32, size_t element_bytes);
  ~PackedMemory() override;

  // False if the buffer was packed as another matrix (a view of another shape), in another type, or for another
  // instruction set.
  bool matches(const WeightMatrix& matrix, bool f32) const;

 protected:
  WeightMatrix matrix_;
  const char* isa_;
  bool f32_;
  size_t bytes_;
  void* data_;
};

// E: the operand type of the GEMM (gemm.h).
template <class E>
class PackedWeight : public PackedMemory {
 public:
  static constexpr bool kF32 = std::is_same_v<E, float>;
  PackedWeight(const WeightMatrix& matrix, int64_t elements) : PackedMemory(matrix, elements, kF32, sizeof(E)) {}
  E* data() const { return static_cast<E*>(data_); }
};

template <class E>
using SharedWeight = std::shared_ptr<PackedWeight<E>>;

// Returns the cached packed form of a weight, or packs it on the thread pool.
template <class E>
SharedWeight<E> packed_weight(Buffer& weight, const WeightMatrix& matrix, Use use);

// The same with a custom packing function.
template <class E>
using Packing = std::function<SharedWeight<E>(const float* weight)>;
template <class E>
SharedWeight<E> packed_weight(Buffer& weight, const WeightMatrix& matrix, Use use, const Packing<E>& pack);

template <class E>
SharedWeight<E> packed_weight(Buffer& weight, int64_t n, int64_t k, Use use) {
  return packed_weight<E>(weight, WeightMatrix{n, k}, use);
}

// Transposes n matrices [rows][cols] to [cols][rows] on the thread pool.
void transpose_each(int64_t n, int64_t rows, int64_t cols, const float* from, float* to);

}  // namespace morphmlp::MORPHMLP_ISA
