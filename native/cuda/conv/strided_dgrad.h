// Gradient of the input of a strided convolution as dense products, without the zeros between strided outputs.
#pragma once
#include "cuda/conv/im2col.h"

namespace morphmlp::cuda {

// Input positions that are reached by the same taps. With stride s, position a receives from output (a + padding - tap)
// / s where that is whole: taps and positions fall into s classes along each axis, and each class of positions is a
// product over its own taps. A class is numbered by its first tap.
struct DgradClass {
  DgradClass(const ConvGeometry& geometry, int64_t batch, const int (&number)[3]) : rows(batch), taps(1) {
    for (int i = 0; i < 3; ++i) {
      const int s = geometry.stride[i],
                last = geometry.padding[i] - number[i];  // negated offset of the first tap
      tap[i] = number[i];
      first[i] = ((-last) % s + s) % s;
      output[i] = (first[i] + last) / s;
      const int64_t places = std::max<int64_t>(0, blocks_of(geometry.in[i] - first[i], s));
      const int64_t own = std::max<int64_t>(0, blocks_of(geometry.kernel[i] - number[i], s));
      by_place[i] = Divisor(std::max<int64_t>(1, places));
      by_tap[i] = Divisor(std::max<int64_t>(1, own));
      rows *= places;
      taps *= own;
    }
  }

  int tap[3], first[3];  // first of the class along each axis; the rest at strides
  int output[3];         // output that the first position receives from through the first tap
  Divisor by_place[3], by_tap[3];
  int64_t rows, taps;
};

struct DgradRow {
  int clip, at[3];  // indices within the class
};

// Row r: gradients of all outputs that position r of the class contributes to. Value k is that of filter k mod O
// through tap k / O of the class.
template <class T>
struct DgradGradients {
  ConvGeometry geometry;
  DgradClass own;
  const T* dy;

  using Row = DgradRow;
  __device__ Row row(int r) const {
    Row row;
    row.clip = ConvGeometry::split(r, own.by_place, row.at);
    return row;
  }

  __device__ float at(const Row& r, int k) const {
    const T* from = gradient(r, k);
    return from ? load(from) : 0.0f;
  }

  bool can_vectorize(int n) const {
    return geometry.outputs % n == 0 && can_vectorize_rows(dy, geometry.all_outputs, n);
  }
  template <int N>
  __device__ Vec<N> read(const Row& r, int k) const {
    const T* from = gradient(r, k);
    return from ? load<N>(from) : Vec<N>{};
  }
  using Stored = T;
  __device__ const T* address(const Row& r, int k) const { return gradient(r, k); }

 private:
  // Null outside of the output.
  __device__ const T* gradient(const Row& r, int k) const {
    const int number = geometry.by_outputs.quotient(k), o = geometry.by_outputs.remainder(k, number);
    int tap[3];
    ConvGeometry::split(number, own.by_tap, tap);
    int position = r.clip;
    for (int i = 0; i < 3; ++i) {
      const int at = own.output[i] + r.at[i] - tap[i];
      if (at < 0 || at >= geometry.out[i]) return nullptr;
      position = position * geometry.out[i] + at;
    }
    return dy + static_cast<int64_t>(position) * geometry.all_outputs + o;
  }
};

}  // namespace morphmlp::cuda
