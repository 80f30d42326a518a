// Weights packed for gemm_block. A weight that is used twice without being written in between keeps its packed form
// beside its buffer (evaluation, prediction); one that changes every step (training) is packed into memory that the
// caller gives back.
#pragma once
#include <functional>
#include <memory>

#include "cpu/gemm/gemm.h"
#include "runtime/buffer.h"

namespace morphmlp::MORPHMLP_ISA {

// y = x W^T, or dx = dy W, or the sums of y over the tokens of chunks (norm_spatial_pool.cc).
enum class Use : int { forward, backward, pooled };

// A PyTorch weight [n, k]. With taps > 1 (a channels-last convolution) its rows are [k / taps][taps] in memory and are
// taken as [taps][k / taps]. `lines` > 0: the many small matrices of a grouped convolution (conv3d_groups.cc). With
// Use::pooled, `summed` says how many tokens' rows each of up to two sums has.
struct WeightMatrix {
  int64_t n, k, taps = 1, lines = 0;
  int64_t summed[2] = {0, 0};
};

class PackedWeight : public Derived {
 public:
  PackedWeight(const WeightMatrix& matrix, int64_t floats);
  ~PackedWeight() override;
  float* data() const { return data_; }

  // A buffer may be used as another matrix too (a view of another shape): then this form is not the one wanted.
  bool is_of(const WeightMatrix& matrix) const;

 private:
  WeightMatrix matrix_;
  int64_t floats_;
  float* data_;
};

// The packed form of a weight, on the pool's threads.
std::shared_ptr<PackedWeight> packed_weight(Buffer& weight, const WeightMatrix& matrix, Use use);

// The same where `pack` makes that form.
using Packing = std::function<std::shared_ptr<PackedWeight>(const float* weight)>;
std::shared_ptr<PackedWeight> packed_weight(Buffer& weight, const WeightMatrix& matrix, Use use, const Packing& pack);

inline std::shared_ptr<PackedWeight> packed_weight(Buffer& weight, int64_t n, int64_t k, Use use) {
  return packed_weight(weight, WeightMatrix{n, k}, use);
}

// Each of n matrices [rows][cols] turned into [cols][rows], on the pool's threads.
void transpose_each(int64_t n, int64_t rows, int64_t cols, const float* from, float* to);

}  // namespace morphmlp::MORPHMLP_ISA
