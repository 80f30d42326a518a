#include "cpu/packed_weight.h"

#include "cpu/blocks.h"
#include "runtime/allocator.h"

namespace morphmlp::MORPHMLP_ISA {

PackedWeight::PackedWeight(int64_t floats)
    : floats_(floats), data_(static_cast<float*>(allocate(static_cast<size_t>(floats) * sizeof(float)))) {}

PackedWeight::~PackedWeight() { release(data_, static_cast<size_t>(floats_) * sizeof(float)); }

namespace {

// The columns and the sum length of the product, and the strides that find B[sum][column] in the weight.
struct Layout {
  int64_t columns, sum, column_stride, sum_stride;
};

Layout layout_for(int64_t n, int64_t k, Use use) {
  return use == Use::forward ? Layout{n, k, k, 1} : Layout{k, n, 1, k};
}

std::shared_ptr<PackedWeight> pack(const float* w, const Layout& at) {
  auto packed = std::make_shared<PackedWeight>(packed_weight_size(at.columns, at.sum));
  const int64_t panels_a_task = std::max<int64_t>(1, kElementBlock / (kPanel * std::max<int64_t>(1, at.sum)));
  for_blocks(panel_count(at.columns), panels_a_task, [&](int64_t first, int64_t last) {
    pack_panels(w, at.columns, at.sum, at.column_stride, at.sum_stride, packed->data(), first, last);
  });
  return packed;
}

}  // namespace

std::shared_ptr<PackedWeight> packed_weight(Buffer& weight, int64_t n, int64_t k, Use use, const Reorder& reorder) {
  const int slot = static_cast<int>(use);
  const bool unchanged = weight.derived_version[slot] == weight.version + 1;
  if (unchanged && weight.derived[slot]) return std::static_pointer_cast<PackedWeight>(weight.derived[slot]);
  weight.derived[slot].reset();
  const float* source = static_cast<const float*>(weight.data);
  const std::vector<float> reordered = reorder ? reorder(source) : std::vector<float>();
  auto packed = pack(reorder ? reordered.data() : source, layout_for(n, k, use));
  if (unchanged) weight.derived[slot] = packed;
  weight.derived_version[slot] = weight.version + 1;  // + 1: 0 means never used
  return packed;
}

}  // namespace morphmlp::MORPHMLP_ISA
