// The arguments of a call from C: what its pointers and numbers claim to be, checked as far as that can be.
#pragma once
#include "bindings/source.h"
#include "morphmlp.h"

namespace morphmlp {

Device device_from(int32_t device);  // throws where it is none

class CArguments : public Source {
 public:
  // Throws where the array is not there.
  CArguments(const morphmlp_argument* arguments, int32_t count);
  size_t count() const override { return count_; }
  Argument at(size_t i, const char* name) const override;
  Argument item(size_t i, size_t in_list) const override;
  bool any_bf16() const override;

  bool on_cuda() const;  // whether a tensor lies there

 private:
  const morphmlp_argument* arguments_;
  const size_t count_;
};

}  // namespace morphmlp
