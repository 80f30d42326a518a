// The sum of a bucket of gradients over all ranks.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/buffer.h"
#include "runtime/cuda.h"
#include "runtime/exchange.h"
#include "runtime/slice_tree.h"

namespace morphmlp {

// Gradients of a bucket of tensors, all on one device. A rank holds `slices / size` neighbouring slices, summed to the
// nodes of the tree (slice_tree.h).
struct Reduction {
  int64_t slices = 1;
  // nodes[i][t]: tensor t of the i-th node; null if no slice of it was read.
  std::vector<std::vector<std::shared_ptr<Buffer>>> nodes;
  std::vector<std::shared_ptr<Buffer>> sums;  // written
  bool fast = false;                          // plain all-reduce: the bits depend on the number of ranks
  std::unique_ptr<cuda::Event> ready;         // on the GPU: when the nodes are complete
};

// Throws if the nodes are not those of this rank's slices.
void check_reduction(const Reduction& reduction, int rank, int size);

// Sums in the order of the tree, whatever the number of ranks: an all-to-all, the rest of the tree at the owner of each
// shard, an all-gather.
class Reducer {
 public:
  Reducer(Exchange& exchange, int size) : exchange_(exchange), size_(size) {}

  // Returns the bytes that this rank has sent.
  double run(const Reduction& r);

 private:
  void exact(const Reduction& r);
  void fast(const Reduction& r);
  float* sum_shard(const std::vector<std::vector<SliceNode<int>>>& parts);
  void pack(const Reduction& r, size_t node);
  void unpack(const Reduction& r, const float* sums);
  template <class Visit>
  void each_run(const Reduction& r, Visit&& visit) const;

  Exchange& exchange_;
  int size_;
  int64_t total_ = 0, shard_ = 0, depth_ = 0;
};

}  // namespace morphmlp
