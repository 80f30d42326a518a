#include "ops/conv3d.h"

#include "cuda/epilogue/column_sums.h"
#include "cuda/conv/strided_dgrad.h"

namespace morphmlp::cuda {
namespace {

// Of filters packed as [tap, c, o], row c is those of a class of taps, k as Reached has it.
template <class T>
struct FiltersOfClass {
  Window window;
  InputClass own;
  const T* packed;

  using Row = int;
  __device__ Row row(int c) const { return c; }
  __device__ float at(Row c, int k) const { return load(filter(c, k)); }
  bool runs_of(int n) const { return runs_in(packed, window.outputs, n); }
  template <int N>
  __device__ Numbers<N> read(Row c, int k) const {
    return load<N>(filter(c, k));
  }

 private:
  __device__ const T* filter(int c, int k) const {
    const int number = window.by_outputs.quotient(k), o = window.by_outputs.remainder(k, number);
    int at[3], tap = 0;
    Window::split(number, own.by_tap, at);
    for (int i = 0; i < 3; ++i) tap = tap * window.kernel[i] + own.tap[i] + at[i] * window.stride[i];
    return packed + static_cast<int64_t>(tap * window.channels + c) * window.outputs + o;
  }
};

// weight[o, c, tap] as [tap, c, o]
template <class T>
struct PackByTap {
  Window window;
  const float* weight;
  T* to;

  __device__ void operator()(int64_t i) const {
    const int row = window.by_outputs.quotient(static_cast<int>(i)), tap = window.by_channels.quotient(row);
    const int o = window.by_outputs.remainder(static_cast<int>(i), row), c = window.by_channels.remainder(row, tap);
    store(to + i, weight[window.weight(o, c, tap)]);
  }
};

template <class T>
struct PutInput {
  Window window;
  InputClass own;
  T* dx;
  bool pairs;

  using Row = T*;
  __device__ Row row(int r) const {
    int at[3];
    const int clip = Window::split(r, own.by_place, at);
    for (int i = 0; i < 3; ++i) at[i] = own.first[i] + at[i] * window.stride[i];
    return dx + window.element(clip, at);
  }
  template <int N>
  __device__ void put(Row row, int c, const float (&value)[N]) const {
    store(row + c * window.channel_step(), value);
  }
};

// From the order of patches to that of the weight.
struct PutFilter {
  Window window;
  Divisor by_length;
  float* dweight;

  __device__ void operator()(int64_t i, float value) const {
    const int o = by_length.quotient(static_cast<int>(i)), k = by_length.remainder(static_cast<int>(i), o);
    int c, tap;
    window.patch(k, &c, &tap);
    dweight[window.weight(o, c, tap)] = value;
  }
};

const float* data_of(const Buffer* b) { return static_cast<const float*>(b->data); }

template <class T>
void forward_group(const Window& window, const T* x, const float* weight, const float* bias, T* y) {
  const PackedFilters<T> filters(window, weight);
  multiply<T>(by_row(Patches<T>{window, x}, window.positions), by_row(filters.rows(), window.outputs), window.length(),
              scatter(PlainLayout{}, PutBiased<T>{y, window.all_outputs, bias, false}));
}

template <class T>
void weight_group(const Window& window, const T* x, const T* dy, float* dweight) {
  const auto grad = gather(PlainLayout{}, Dense<T>{dy, window.all_outputs});
  weight_gradient_to<T>(grad, Patches<T>{window, x}, window.positions, window.outputs, window.length(),
                        PutFilter{window, Divisor(window.length()), dweight});
}

// A class without taps is a product of length 0, which writes its zeros.
template <class T>
void input_class(const Window& window, const InputClass& own, const T* packed, const T* dy, T* dx) {
  const bool pairs = !window.planar && pairs_in(dx, window.all_channels);
  multiply<T>(by_row(Reached<T>{window, own, dy}, own.rows),
              by_row(FiltersOfClass<T>{window, own, packed}, window.channels), own.taps * window.outputs,
              PutInput<T>{window, own, dx, pairs});
}

template <class T>
void input_group(const Window& window, int64_t batch, const float* weight, const T* dy, T* dx) {
  const Workspace<T> packed(window.outputs * window.length());
  launch_each(window.outputs * window.length(), PackByTap<T>{window, weight, packed.data()});
  int number[3];
  for (number[0] = 0; number[0] < window.stride[0]; ++number[0])
    for (number[1] = 0; number[1] < window.stride[1]; ++number[1])
      for (number[2] = 0; number[2] < window.stride[2]; ++number[2])
        input_class(window, InputClass(window, batch, number), packed.data(), dy, dx);
}

}  // namespace

template <class T>
void conv3d_forward(const Conv3dForwardOf<T>& p) {
  const Window window(p.at);
  for (int64_t g = 0; g < p.at.groups; ++g) {
    const int64_t o = g * window.outputs;
    forward_group(window, p.x + g * window.channels, data_of(p.weight) + o * window.length(),
                  p.bias ? p.bias + o : nullptr, p.y + o);
  }
}
FOR_FLOATS(conv3d_forward, Conv3dForward)

template <class T>
void conv3d_backward(const Conv3dBackwardOf<T>& p) {
  const Window window(p.at);
  bias_gradient(gather(PlainLayout{}, Dense<T>{p.dy, window.all_outputs}), window.positions, window.all_outputs,
                p.dbias);
  for (int64_t g = 0; g < p.at.groups; ++g) {
    const int64_t o = g * window.outputs, c = g * window.channels;
    weight_group(window, p.x + c, p.dy + o, p.dweight + o * window.length());
    if (p.dx) input_group(window, p.at.batch, data_of(p.weight) + o * window.length(), p.dy + o, p.dx + c);
  }
}
FOR_FLOATS(conv3d_backward, Conv3dBackward)

}  // namespace morphmlp::cuda
