// The arguments of a call from C. Sizes, types, alignment and device of pointers are checked as far as possible.
#pragma once
#include "bindings/source.h"
#include "morphmlp.h"

namespace morphmlp {

Device device_from(int32_t device);  // throws if unknown

class CArguments : public Source {
 public:
  // Throws if `count` is negative, or positive with a null array.
  CArguments(const morphmlp_argument* arguments, int32_t count);
  size_t count() const override { return count_; }
  Argument at(size_t i, const char* name) const override;
  Argument item(size_t i, size_t in_list) const override;
  bool any_bf16() const override;

  bool on_cuda() const;  // whether any tensor is on the GPU

 private:
  const morphmlp_argument* arguments_;
  const size_t count_;
};

}  // namespace morphmlp
