// Split reduction for weight gradients. The blocks of work are cut into a fixed number of splits, chosen by the shape
// alone; each split accumulates its blocks in order into its own sums, and the splits are added in order at the end. So
// the bits do not depend on the number of threads.
#pragma once
#include <vector>

#include "cpu/rows.h"
#include "runtime/allocator.h"

namespace morphmlp::MORPHMLP_ISA {

class SplitReducer {
 public:
  // `blocks` blocks of work, each contributing to `floats` sums: 4 to 16 splits, fewer if the sums are large.
  SplitReducer(int64_t blocks, int64_t floats)
      : blocks_(blocks),
        floats_(floats),
        splits_(std::min(blocks, splits_for(floats))),
        data_(make(splits_ * floats)) {}
  ~SplitReducer() { release(data_, bytes(splits_ * floats_)); }
  SplitReducer(const SplitReducer&) = delete;
  SplitReducer& operator=(const SplitReducer&) = delete;

  // Calls body(block, sums, first), which adds the block's contribution to `sums`, or overwrites them if `first`.
  template <class F>
  void run(F&& body) {
    run_slices(1, [&](int64_t block, int64_t, float* sums, bool first) { body(block, sums, first); });
  }

  // The same for sums that consist of independent `slices`: body(block, slice, sums, first).
  template <class F>
  void run_slices(int64_t slices, F&& body) {
    parallel_for(splits_ * slices, [&](int64_t task) {
      const int64_t split = task / slices, slice = task % slices;
      const int64_t begin = split * blocks_ / splits_, end = (split + 1) * blocks_ / splits_;
      for (int64_t block = begin; block < end; ++block) body(block, slice, data_ + split * floats_, block == begin);
    });
  }

  // total[0..n) = sum over the splits, in order, of sums[offset .. offset + n).
  void reduce(int64_t offset, int64_t n, float* total) const {
    for_blocks(n, kElementBlock, [&](int64_t begin, int64_t end) {
      int64_t i = begin;
      for (; i + 4 * kLanes <= end; i += 4 * kLanes) reduce_four(data_ + offset + i, total + i);
      for (; i < end; i += kLanes) {
        const int left = static_cast<int>(std::min<int64_t>(kLanes, end - i));
        V sum = zero();
        for (int64_t split = 0; split < splits_; ++split)
          sum = add(sum, load_n(data_ + split * floats_ + offset + i, left));
        store_n(total + i, sum, left);
      }
    });
  }

 private:
  // Four vectors at a time, with software prefetch: there are more streams than the hardware prefetcher tracks.
  void reduce_four(const float* from, float* to) const {
    V sum[4] = {zero(), zero(), zero(), zero()};
    for (int64_t split = 0; split < splits_; ++split, from += floats_)
      for (int v = 0; v < 4; ++v) {
        __builtin_prefetch(from + kPrefetchDistance + v * kLanes);
        sum[v] = add(sum[v], load(from + v * kLanes));
      }
    for (int v = 0; v < 4; ++v) store(to + v * kLanes, sum[v]);
  }

  static constexpr int64_t kPrefetchDistance = 256;  // floats, 1 KiB
  static size_t bytes(int64_t floats) { return static_cast<size_t>(std::max<int64_t>(1, floats)) * sizeof(float); }
  static float* make(int64_t floats) { return static_cast<float*>(allocate(bytes(floats))); }
  static int64_t splits_for(int64_t floats) {
    constexpr int64_t budget = 8 << 20;  // floats, 32 MiB
    return std::clamp<int64_t>(budget / std::max<int64_t>(1, floats), 4, 16);
  }

  int64_t blocks_, floats_, splits_;
  float* data_;
};

}  // namespace morphmlp::MORPHMLP_ISA
