// Weights packed for gemm_block. A weight that is used twice without being written in between keeps its packed form
// beside its buffer (evaluation, prediction); one that changes every step (training) is packed into memory that the
// caller gives back.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "cpu/gemm.h"
#include "runtime/buffer.h"

namespace morphmlp::MORPHMLP_ISA {

enum class Use : int { forward, backward };  // y = x W^T, or dx = dy W

class PackedWeight : public Derived {
 public:
  explicit PackedWeight(int64_t floats);
  ~PackedWeight() override;
  float* data() const { return data_; }

 private:
  int64_t floats_;
  float* data_;
};

// Another order of a weight's elements, made before packing (a convolution's taps).
using Reorder = std::function<std::vector<float>(const float*)>;

// The packed form of a PyTorch weight [n, k], on the pool's threads.
std::shared_ptr<PackedWeight> packed_weight(Buffer& weight, int64_t n, int64_t k, Use use,
                                            const Reorder& reorder = nullptr);

}  // namespace morphmlp::MORPHMLP_ISA
