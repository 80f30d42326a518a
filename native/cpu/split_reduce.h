// Weight gradients are summed in a fixed number of parts, chosen by the shape alone: each part goes through its blocks
// in order and owns its sums; at the end the parts are added in order. So the bits do not depend on the number of
// threads.
#pragma once
#include <vector>

#include "cpu/rows.h"
#include "runtime/allocator.h"

namespace morphmlp::MORPHMLP_ISA {

class PartialSums {
 public:
  // For `blocks` blocks of work and sums of `floats` floats: 4 to 16 parts, fewer where the sums are large.
  PartialSums(int64_t blocks, int64_t floats)
      : blocks_(blocks), floats_(floats), parts_(std::min(blocks, parts_for(floats))), data_(take(parts_ * floats)) {}
  ~PartialSums() { release(data_, bytes(parts_ * floats_)); }
  PartialSums(const PartialSums&) = delete;
  PartialSums& operator=(const PartialSums&) = delete;

  // body(block, sums, first): adds block's contribution to `sums`, or with `first` overwrites what they held.
  template <class F>
  void run(F&& body) {
    run_slices(1, [&](int64_t block, int64_t, float* sums, bool first) { body(block, sums, first); });
  }

  // The same where the sums are cut into `slices` that are computed independently: body(block, slice, sums, first).
  template <class F>
  void run_slices(int64_t slices, F&& body) {
    parallel_for(parts_ * slices, [&](int64_t task) {
      const int64_t part = task / slices, slice = task % slices;
      const int64_t begin = part * blocks_ / parts_, end = (part + 1) * blocks_ / parts_;
      for (int64_t block = begin; block < end; ++block) body(block, slice, data_ + part * floats_, block == begin);
    });
  }

  // total[0..n) = the sum over the parts of sums[offset .. offset + n), in order.
  void reduce(int64_t offset, int64_t n, float* total) const {
    for_blocks(n, kElementBlock, [&](int64_t begin, int64_t end) {
      int64_t i = begin;
      for (; i + 4 * kLanes <= end; i += 4 * kLanes) reduce_four(data_ + offset + i, total + i);
      for (; i < end; i += kLanes) {
        const int left = static_cast<int>(std::min<int64_t>(kLanes, end - i));
        V sum = zero();
        for (int64_t part = 0; part < parts_; ++part) sum = add(sum, load_n(data_ + part * floats_ + offset + i, left));
        store_n(total + i, sum, left);
      }
    });
  }

 private:
  // Four vectors at a time. The parts are too many streams for the processor to see what comes next: it is asked for.
  void reduce_four(const float* from, float* to) const {
    V sum[4] = {zero(), zero(), zero(), zero()};
    for (int64_t part = 0; part < parts_; ++part, from += floats_)
      for (int v = 0; v < 4; ++v) {
        __builtin_prefetch(from + kAhead + v * kLanes);
        sum[v] = add(sum[v], load(from + v * kLanes));
      }
    for (int v = 0; v < 4; ++v) store(to + v * kLanes, sum[v]);
  }

  static constexpr int64_t kAhead = 256;  // floats, 1 KiB
  static size_t bytes(int64_t floats) { return static_cast<size_t>(std::max<int64_t>(1, floats)) * sizeof(float); }
  static float* take(int64_t floats) { return static_cast<float*>(allocate(bytes(floats))); }
  static int64_t parts_for(int64_t floats) {
    constexpr int64_t budget = 8 << 20;  // floats, 32 MiB
    return std::clamp<int64_t>(budget / std::max<int64_t>(1, floats), 4, 16);
  }

  int64_t blocks_, floats_, parts_;
  float* data_;
};

}  // namespace morphmlp::MORPHMLP_ISA
