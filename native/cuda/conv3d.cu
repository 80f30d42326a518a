// Convolutions as products over patches that are read in place: no matrix of patches exists.
#include "kernels/conv3d.h"

#include "cuda/column_sums.h"
#include "cuda/gemm.h"

namespace morphmlp::cuda {
namespace {

// What kernels need to know of a shape, and how numbers are taken apart. Groups of channels are convolutions of their
// own: `channels` and `outputs` are one group's, whose first ones the callers' pointers point to.
struct Window {
  explicit Window(const Conv3dShape& at)
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
      stride[i] = as_int(at.stride[i]);
      padding[i] = as_int(at.padding[i]);
      by_in[i] = Divisor(std::max<int64_t>(1, at.in[i]));
      by_out[i] = Divisor(std::max<int64_t>(1, at.out[i]));
      by_kernel[i] = Divisor(at.kernel[i]);
      by_stride[i] = Divisor(at.stride[i]);
    }
    positions = at.batch * at.out[0] * at.out[1] * at.out[2];
    inputs = at.batch * at.in[0] * at.in[1] * at.in[2];
  }

  // Time, height and width of a number counted row-major, and what is left over: the clip.
  __device__ static int split(int n, const Divisor (&by)[3], int (&at)[3]) {
    for (int i = 2; i >= 0; --i) {
      const int rest = by[i].quotient(n);
      at[i] = by[i].remainder(n, rest);
      n = rest;
    }
    return n;
  }

  __device__ int64_t input(int clip, const int (&at)[3]) const {
    return ((static_cast<int64_t>(clip) * in[0] + at[0]) * in[1] + at[1]) * in[2] + at[2];
  }

  // Where the number at (clip, place, channel) of the input lies.
  __device__ int64_t element(int clip, const int (&at)[3], int c) const {
    if (!planar) return input(clip, at) * all_channels + c;
    const int64_t area = static_cast<int64_t>(in[0]) * in[1] * in[2];
    return (static_cast<int64_t>(clip) * channels + c) * area + input(0, at);
  }

  // Channel and tap of number k of a patch: as they lie next to each other in the input.
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
  Divisor by_taps, by_channels, by_outputs, by_in[3], by_out[3], by_kernel[3], by_stride[3];
  int in[3], stride[3], padding[3];
  int64_t positions, inputs;
  int64_t length() const { return static_cast<int64_t>(channels) * taps; }
};

// Row r is what the filters see at output position r.
template <class T>
struct Patches {
  Window window;
  const T* x;

  struct Row {
    int clip, first[3];
  };

  __device__ Row row(int r) const {
    Row at;
    at.clip = Window::split(r, window.by_out, at.first);
    for (int i = 0; i < 3; ++i) at.first[i] = at.first[i] * window.stride[i] - window.padding[i];
    return at;
  }

  __device__ float at(const Row& r, int k) const {
    int c, tap, at[3];
    window.patch(k, &c, &tap);
    Window::split(tap, window.by_kernel, at);
    for (int i = 0; i < 3; ++i) {
      at[i] += r.first[i];
      if (at[i] < 0 || at[i] >= window.in[i]) return 0.0f;
    }
    return load(x + window.element(r.clip, at, c));
  }
};

// weight[o, k], k as patches have it.
struct Filters {
  Window window;
  const float* weight;

  using Row = int;
  __device__ Row row(int o) const { return o; }
  __device__ float at(Row o, int k) const {
    int c, tap;
    window.patch(k, &c, &tap);
    return weight[window.weight(o, c, tap)];
  }
};

// Row r is the gradients of all outputs that input position r is part of: number k is that of filter k mod O through
// tap k / O, zero where the stride leaves it out.
template <class T>
struct Reached {
  Window window;
  const T* dy;
  int out[3];

  struct Row {
    int clip, at[3];
  };

  __device__ Row row(int r) const {
    Row row;
    row.clip = Window::split(r, window.by_in, row.at);
    return row;
  }

  __device__ float at(const Row& r, int k) const {
    const int tap = window.by_outputs.quotient(k), o = window.by_outputs.remainder(k, tap);
    int at[3];
    Window::split(tap, window.by_kernel, at);
    int64_t position = r.clip;
    for (int i = 0; i < 3; ++i) {
      const int n = r.at[i] + window.padding[i] - at[i];
      if (n < 0) return 0.0f;
      const int step = window.by_stride[i].quotient(n);
      if (step >= out[i] || window.by_stride[i].remainder(n, step) != 0) return 0.0f;
      position = position * out[i] + step;
    }
    return load(dy + position * window.all_outputs + o);
  }
};

// Row c is the filters' numbers for an input channel, k as Reached has it.
struct FiltersOfChannel {
  Window window;
  const float* weight;

  using Row = int;
  __device__ Row row(int c) const { return c; }
  __device__ float at(Row c, int k) const {
    const int tap = window.by_outputs.quotient(k);
    return weight[window.weight(window.by_outputs.remainder(k, tap), c, tap)];
  }
};

template <class T>
struct PutInput {
  Window window;
  T* dx;
  bool pairs = false;

  using Row = typename Reached<T>::Row;
  __device__ Row row(int r) const { return Reached<T>{window, nullptr, {}}.row(r); }
  template <int N>
  __device__ void put(const Row& r, int c, const float (&value)[N]) const {
    for (int i = 0; i < N; ++i) store(dx + window.element(r.clip, r.at, c + i), value[i]);
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
  multiply<T>(by_row(Patches<T>{window, x}, window.positions), by_row(Filters{window, weight}, window.outputs),
              window.length(), scatter(PlainLayout{}, PutBiased<T>{y, window.all_outputs, bias, false}));
}

template <class T>
void weight_group(const Window& window, const T* x, const T* dy, float* dweight) {
  const auto grad = gather(PlainLayout{}, Dense<T>{dy, window.all_outputs});
  weight_gradient_to<T>(grad, Patches<T>{window, x}, window.positions, window.outputs, window.length(),
                        PutFilter{window, Divisor(window.length()), dweight});
}

template <class T>
void input_group(const Window& window, const Conv3dShape& at, const float* weight, const T* dy, T* dx) {
  const Reached<T> reached{window, dy, {as_int(at.out[0]), as_int(at.out[1]), as_int(at.out[2])}};
  multiply<T>(by_row(reached, window.inputs), by_row(FiltersOfChannel{window, weight}, window.channels),
              static_cast<int64_t>(window.taps) * window.outputs, PutInput<T>{window, dx});
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
    if (p.dx) input_group(window, p.at, data_of(p.weight) + o * window.length(), p.dy + o, p.dx + c);
  }
}
FOR_FLOATS(conv3d_backward, Conv3dBackward)

}  // namespace morphmlp::cuda
