// Operands of convolutions as products: im2col rows, read in place so that no im2col matrix exists, and filters, which
// are repacked in im2col order first.
#pragma once
#include "cuda/gemm/gemm.h"
#include "ops/conv3d.h"

namespace morphmlp::cuda {

// Geometry of a convolution in 32 bits. Groups are separate convolutions: `channels` and `outputs` are those of one
// group, whose first channels the pointers of the caller point to.
struct ConvGeometry {
  explicit ConvGeometry(const Conv3dShape& at)
      : channels(as_int(at.in_channels / at.groups)),
        outputs(as_int(at.out_channels / at.groups)),
        all_channels(as_int(at.in_channels)),
        all_outputs(as_int(at.out_channels)),
        planar(at.planar),
        taps(as_int(at.kernel[0] * at.kernel[1] * at.kernel[2])),
        by_taps(taps),
        by_channels(channels),
        by_outputs(outputs) {
    for (int i = 0; i < 3; ++i) {
      in[i] = as_int(at.in[i]);
      out[i] = as_int(at.out[i]);
      stride[i] = as_int(at.stride[i]);
      padding[i] = as_int(at.padding[i]);
      kernel[i] = as_int(at.kernel[i]);
      by_out[i] = Divisor(std::max<int64_t>(1, at.out[i]));
      by_kernel[i] = Divisor(at.kernel[i]);
    }
    positions = as_int(at.batch * at.out[0] * at.out[1] * at.out[2]);  // kernels count them in 32 bits
    as_int(length());
  }

  // Splits a row-major index into time, height and width; returns the clip.
  __device__ static int split(int n, const Divisor (&by)[3], int (&at)[3]) {
    for (int i = 2; i >= 0; --i) {
      const int rest = by[i].quotient(n);
      at[i] = by[i].remainder(n, rest);
      n = rest;
    }
    return n;
  }

  // Offset of channel 0 at (clip, place) of the input; channel_step is the distance between channels.
  __device__ int64_t element(int clip, const int (&at)[3]) const {
    const int64_t area = static_cast<int64_t>(in[0]) * in[1] * in[2];
    const int64_t place = (static_cast<int64_t>(at[0]) * in[1] + at[1]) * in[2] + at[2];
    return planar ? clip * area * channels + place : (clip * area + place) * all_channels;
  }
  __device__ int64_t channel_step() const { return planar ? static_cast<int64_t>(in[0]) * in[1] * in[2] : 1; }

  // Channel and tap of value k of an im2col row, in the order of the input.
  __device__ void patch(int k, int* c, int* tap) const {
    const int high = planar ? by_taps.quotient(k) : by_channels.quotient(k);
    *c = planar ? high : by_channels.remainder(k, high);
    *tap = planar ? by_taps.remainder(k, high) : high;
  }

  // weight[o, c, tap]
  __device__ int64_t weight(int o, int c, int tap) const {
    return (static_cast<int64_t>(o) * channels + c) * taps + tap;
  }

  int channels, outputs, all_channels, all_outputs;
  bool planar;
  int taps;
  Divisor by_taps, by_channels, by_outputs, by_out[3], by_kernel[3];
  int in[3], out[3], stride[3], padding[3], kernel[3];
  int64_t positions;
  int64_t length() const { return static_cast<int64_t>(channels) * taps; }
};

// Row r is the receptive field of output position r. Adjacent values are channels of one pixel, where those are
// adjacent in memory.
template <class T>
struct Im2colRows {
  ConvGeometry geometry;
  const T* x;

  struct Row {
    int clip, first[3];
  };

  __device__ Row row(int r) const {
    Row at;
    at.clip = ConvGeometry::split(r, geometry.by_out, at.first);
    for (int i = 0; i < 3; ++i) at.first[i] = at.first[i] * geometry.stride[i] - geometry.padding[i];
    return at;
  }

  __device__ float at(const Row& r, int k) const {
    const T* from = pixel(r, k);
    return from ? load(from) : 0.0f;
  }

  bool can_vectorize(int n) const {
    return !geometry.planar && geometry.channels % n == 0 && can_vectorize_rows(x, geometry.all_channels, n);
  }
  template <int N>
  __device__ Vec<N> read(const Row& r, int k) const {
    const T* from = pixel(r, k);
    return from ? load<N>(from) : Vec<N>{};
  }
  using Stored = T;
  __device__ const T* address(const Row& r, int k) const { return pixel(r, k); }

 private:
  // Null in the padding.
  __device__ const T* pixel(const Row& r, int k) const {
    int c, tap, at[3];
    geometry.patch(k, &c, &tap);
    ConvGeometry::split(tap, geometry.by_kernel, at);
    for (int i = 0; i < 3; ++i) {
      at[i] += r.first[i];
      if (at[i] < 0 || at[i] >= geometry.in[i]) return nullptr;
    }
    return x + geometry.element(r.clip, at) + c * geometry.channel_step();
  }
};

// Packs weight[o, c, tap] as [o, k] in im2col order.
template <class T>
struct PackIm2colFilters {
  ConvGeometry geometry;
  Divisor by_length;
  const float* weight;
  T* to;

  __device__ void operator()(int64_t i) const {
    const int o = by_length.quotient(static_cast<int>(i)), k = by_length.remainder(static_cast<int>(i), o);
    int c, tap;
    geometry.patch(k, &c, &tap);
    store(to + i, weight[geometry.weight(o, c, tap)]);
  }
};

// Packed filters, one a row. mma.sync loads them through registers: im2col rows already take three buffers in shared
// memory, and three more do not fit.
template <class T>
struct FilterRows {
  Dense<T> tokens;

  using Row = const T*;
  __device__ Row row(int o) const { return tokens.address(o, 0); }
  __device__ float at(Row row, int c) const { return load(row + c); }
  bool can_vectorize(int n) const { return tokens.can_vectorize(n); }
  template <int N>
  __device__ Vec<N> read(Row row, int c) const {
    return load<N>(row + c);
  }
};

// Filters in im2col order, rounded once to the type of the product: every block reads them again.
template <class T>
class PackedFilters {
 public:
  PackedFilters(const ConvGeometry& geometry, const float* weight)
      : k_(as_int(geometry.length())), packed_(geometry.outputs * geometry.length()) {
    launch_each(geometry.outputs * geometry.length(),
                PackIm2colFilters<T>{geometry, Divisor(k_), weight, packed_.data()});
  }

  FilterRows<T> rows() const { return {{packed_.data(), k_}}; }

 private:
  int k_;
  Workspace<T> packed_;
};

}  // namespace morphmlp::cuda
