// into += from, and into = from: how autograd joins the gradients of a tensor that was used more than once.
#pragma once
#include <cstdint>

namespace morphmlp {

template <class T>
struct AccumulateForwardOf {
  int64_t n;
  const T* from;
  T* into;
};
using AccumulateForward = AccumulateForwardOf<float>;

template <class T>
struct AccumulateCopyOf {
  int64_t n;
  const T* from;
  T* into;
};
using AccumulateCopy = AccumulateCopyOf<float>;

}  // namespace morphmlp
