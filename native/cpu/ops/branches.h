// Layouts, packed weights and gradient offsets of the branches, shared by the kernels of norm_spatial.
#pragma once
#include "cpu/gemm/morph_gather.h"
#include "cpu/gemm/packed_weight.h"
#include "ops/norm_spatial.h"

namespace morphmlp::MORPHMLP_ISA {

template <class E>
using PackedWeights = std::vector<SharedWeight<E>>;

inline bool is_channel_branch(const NormSpatialShape& at, int64_t i) { return i + 1 == at.branches(); }

// Layout of the rows of branch i; a chunk of the channel branch is one token.
inline MorphLayout branch_layout(const NormSpatialShape& at, int64_t i) {
  const bool channel = is_channel_branch(at, i);
  const bool vertical = !at.strided && i == 0, strided = at.strided && !channel;
  return spatial_layout(at.frames(), at.height, at.width, at.channels, channel ? 1 : at.chunk, vertical, strided);
}

template <class E>
PackedWeights<E> packed_weights(const NormSpatialShape& at, Buffer* const* weights, Use use) {
  PackedWeights<E> packed;
  for (int64_t i = 0; i < at.branches(); ++i)
    packed.push_back(packed_weight<E>(*weights[i], at.channels, at.channels, use));
  return packed;
}

// Offsets of the gradients within the sums of a split: weight and bias of each branch, then gamma and beta.
struct BranchSums {
  explicit BranchSums(const NormSpatialShape& at)
      : weight(at.channels * at.channels),
        branch(weight + at.channels),
        dgamma(at.branches() * branch),
        dbeta(dgamma + at.channels),
        total(dbeta + at.channels) {}
  int64_t weight, branch, dgamma, dbeta, total;
};

}  // namespace morphmlp::MORPHMLP_ISA
