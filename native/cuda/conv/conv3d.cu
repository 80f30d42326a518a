#include "ops/conv3d.h"

#include "cuda/conv/strided_dgrad.h"
#include "cuda/epilogue/column_sums.h"

namespace morphmlp::cuda {
namespace {

// Row c of the filters packed as [tap, c, o], restricted to a class of taps, with k as in DgradGradients.
template <class T>
struct DgradFilters {
  ConvGeometry geometry;
  DgradClass own;
  const T* packed;

  using Row = int;
  __device__ Row row(int c) const { return c; }
  __device__ float at(Row c, int k) const { return load(filter(c, k)); }
  bool can_vectorize(int n) const { return can_vectorize_rows(packed, geometry.outputs, n); }
  template <int N>
  __device__ Vec<N> read(Row c, int k) const {
    return load<N>(filter(c, k));
  }

 private:
  __device__ const T* filter(int c, int k) const {
    const int number = geometry.by_outputs.quotient(k), o = geometry.by_outputs.remainder(k, number);
    int at[3], tap = 0;
    ConvGeometry::split(number, own.by_tap, at);
    for (int i = 0; i < 3; ++i) tap = tap * geometry.kernel[i] + own.tap[i] + at[i] * geometry.stride[i];
    return packed + static_cast<int64_t>(tap * geometry.channels + c) * geometry.outputs + o;
  }
};

// Packs weight[o, c, tap] as [tap, c, o].
template <class T>
struct PackDgradFilters {
  ConvGeometry geometry;
  const float* weight;
  T* to;

  __device__ void operator()(int64_t i) const {
    const int row = geometry.by_outputs.quotient(static_cast<int>(i)), tap = geometry.by_channels.quotient(row);
    const int o = geometry.by_outputs.remainder(static_cast<int>(i), row), c = geometry.by_channels.remainder(row, tap);
    store(to + i, weight[geometry.weight(o, c, tap)]);
  }
};

template <class T>
struct StoreInputGrad {
  ConvGeometry geometry;
  DgradClass own;
  T* dx;
  bool pairs;

  using Row = T*;
  __device__ Row row(int r) const {
    int at[3];
    const int clip = ConvGeometry::split(r, own.by_place, at);
    for (int i = 0; i < 3; ++i) at[i] = own.first[i] + at[i] * geometry.stride[i];
    return dx + geometry.element(clip, at);
  }
  template <int N>
  __device__ void apply(Row, int, float (&)[N]) const {}
  template <int N>
  __device__ void write(Row row, int c, const float (&value)[N]) const {
    store(row + c * geometry.channel_step(), value);
  }
};

// Stores from im2col order into the order of the weight.
struct StoreFilterGrad {
  ConvGeometry geometry;
  Divisor by_length;
  float* dweight;

  __device__ void operator()(int64_t i, float value) const {
    const int o = by_length.quotient(static_cast<int>(i)), k = by_length.remainder(static_cast<int>(i), o);
    int c, tap;
    geometry.patch(k, &c, &tap);
    dweight[geometry.weight(o, c, tap)] = value;
  }
};

const float* data_of(const Buffer* b) { return static_cast<const float*>(b->data); }

template <class T>
void forward_group(const ConvGeometry& geometry, const T* x, const float* weight, const float* bias, T* y) {
  const PackedFilters<T> filters(geometry, weight);
  multiply<T>(by_row(Im2colRows<T>{geometry, x}, geometry.positions), by_row(filters.rows(), geometry.outputs),
              geometry.length(), scatter(PlainLayout{}, BiasEpilogue<T>{y, geometry.all_outputs, bias, false}));
}

template <class T>
void weight_group(const ConvGeometry& geometry, const T* x, const T* dy, float* dweight) {
  const auto grad = gather(PlainLayout{}, Dense<T>{dy, geometry.all_outputs});
  weight_gradient_to<T>(grad, Im2colRows<T>{geometry, x}, geometry.positions, geometry.outputs, geometry.length(),
                        StoreFilterGrad{geometry, Divisor(geometry.length()), dweight});
}

// A class without taps is a product over k = 0, which writes its zeros.
template <class T>
void input_class(const ConvGeometry& geometry, const DgradClass& own, const T* packed, const T* dy, T* dx) {
  const bool pairs = !geometry.planar && can_pair_rows(dx, geometry.all_channels);
  multiply<T>(by_row(DgradGradients<T>{geometry, own, dy}, own.rows),
              by_row(DgradFilters<T>{geometry, own, packed}, geometry.channels), own.taps * geometry.outputs,
              StoreInputGrad<T>{geometry, own, dx, pairs});
}

template <class T>
void input_group(const ConvGeometry& geometry, int64_t batch, const float* weight, const T* dy, T* dx) {
  const Workspace<T> packed(geometry.outputs * geometry.length());
  launch_each(geometry.outputs * geometry.length(), PackDgradFilters<T>{geometry, weight, packed.data()});
  int number[3];
  for (number[0] = 0; number[0] < geometry.stride[0]; ++number[0])
    for (number[1] = 0; number[1] < geometry.stride[1]; ++number[1])
      for (number[2] = 0; number[2] < geometry.stride[2]; ++number[2])
        input_class(geometry, DgradClass(geometry, batch, number), packed.data(), dy, dx);
}

}  // namespace

template <class T>
void conv3d_forward(const Conv3dForwardOf<T>& p) {
  const ConvGeometry geometry(p.at);
  for (int64_t g = 0; g < p.at.groups; ++g) {
    const int64_t o = g * geometry.outputs;
    forward_group(geometry, p.x + g * geometry.channels, data_of(p.weight) + o * geometry.length(),
                  p.bias ? p.bias + o : nullptr, p.y + o);
  }
}
FOR_FLOATS(conv3d_forward, Conv3dForward)

template <class T>
void conv3d_backward(const Conv3dBackwardOf<T>& p) {
  const ConvGeometry geometry(p.at);
  bias_gradient(gather(PlainLayout{}, Dense<T>{p.dy, geometry.all_outputs}), geometry.positions, geometry.all_outputs,
                p.dbias);
  for (int64_t g = 0; g < p.at.groups; ++g) {
    const int64_t o = g * geometry.outputs, c = g * geometry.channels;
    weight_group(geometry, p.x + c, p.dy + o, p.dweight + o * geometry.length());
    if (p.dx) input_group(geometry, p.at.batch, data_of(p.weight) + o * geometry.length(), p.dy + o, p.dx + c);
  }
}
FOR_FLOATS(conv3d_backward, Conv3dBackward)

}  // namespace morphmlp::cuda
