#include "ops/resize.h"

#include "cuda/vectorized.h"
#include "ops/resize_axis.h"

namespace morphmlp::cuda {
namespace {

template <class T>
struct Forward {
  ResizeForwardOf<T> p;

  // `token` counts the elements of an output picture.
  template <int N>
  __device__ void run(int picture, int64_t begin, int64_t end, int c) const {
    const ResizeAxis down{p.height, p.out_height, p.nearest}, across{p.width, p.out_width, p.nearest};
    const T* x = p.x + picture * p.height * p.width * p.channels + c;
    for (int64_t token = begin; token < end; ++token) {
      const ResizeTap row = down.tap(token / p.out_width), column = across.tap(token % p.out_width);
      Vec<N> value = line<N>(x + row.from * p.width * p.channels, column);
      if (row.to != row.from) mix(value, line<N>(x + row.to * p.width * p.channels, column), row.weight);
      store(p.y + (picture * p.out_height * p.out_width + token) * p.channels + c, value);
    }
  }

 private:
  template <int N>
  __device__ Vec<N> line(const T* x, const ResizeTap& column) const {
    Vec<N> value = load<N>(x + column.from * p.channels);
    if (column.to != column.from) mix(value, load<N>(x + column.to * p.channels), column.weight);
    return value;
  }
  template <int N>
  __device__ static void mix(Vec<N>& a, const Vec<N>& b, float weight) {
#pragma unroll
    for (int i = 0; i < N; ++i) a.at[i] = fmaf(b.at[i] - a.at[i], weight, a.at[i]);
  }
};

template <class T>
struct Backward {
  ResizeBackwardOf<T> p;

  template <int N>
  __device__ void run(int picture, int64_t begin, int64_t end, int c) const {
    const ResizeAxis down{p.height, p.out_height, p.nearest}, across{p.width, p.out_width, p.nearest};
    const T* dy = p.dy + picture * p.out_height * p.out_width * p.channels + c;
    for (int64_t token = begin; token < end; ++token) {
      const int64_t i = token / p.width, j = token % p.width;
      const ResizeSpan ys = down.span(i), xs = across.span(j);
      Vec<N> sum = {};
      for (int64_t y = ys.begin; y < ys.end; ++y)
        for (int64_t x = xs.begin; x < xs.end; ++x) {
          const float weight = down.tap(y).of(i) * across.tap(x).of(j);
          const Vec<N> grad = load<N>(dy + (y * p.out_width + x) * p.channels);
#pragma unroll
          for (int k = 0; k < N; ++k) sum.at[k] = fmaf(weight, grad.at[k], sum.at[k]);
        }
      store(p.dx + (picture * p.height * p.width + token) * p.channels + c, sum);
    }
  }
};

}  // namespace

template <class T>
void resize_forward(const ResizeForwardOf<T>& p) {
  launch_vectorized_columns<kVecSize<T>>(p.batch, p.out_height * p.out_width, p.channels, aligned(p.x, p.y),
                                         Forward<T>{p});
}
FOR_FLOATS(resize_forward, ResizeForward)

template <class T>
void resize_backward(const ResizeBackwardOf<T>& p) {
  launch_vectorized_columns<kVecSize<T>>(p.batch, p.height * p.width, p.channels, aligned(p.dy, p.dx), Backward<T>{p});
}
FOR_FLOATS(resize_backward, ResizeBackward)

}  // namespace morphmlp::cuda
