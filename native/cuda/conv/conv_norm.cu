#include "ops/conv_norm_parts.h"

#include "cuda/conv/im2col.h"
#include "cuda/epilogue/column_sums.h"
#include "cuda/gemm/gemm_bn_stats.h"
#include "cuda/ops/batch_norm.h"

namespace morphmlp::cuda {

template <class T>
void conv3d_forward(const Conv3dForwardOf<T>& p);

namespace {

// -- training: statistics of what is stored, by the tiles of the product --

// The convolution's result; what is stored is rounded first, so that statistics are of what the backward reads.
template <class T>
struct PutConvolved {
  T* y;
  int channels;
  const float* bias;  // or null
  bool pairs;

  __device__ float stored(int n, float sum) const {
    T value;
    store(&value, bias ? sum + bias[n] : sum);
    return load(&value);
  }

  using Row = T*;
  __device__ Row row(int m) const { return y + static_cast<int64_t>(m) * channels; }
  template <int N>
  __device__ void put(Row row, int n, const float (&value)[N]) const {
    store(row + n, value);
  }
};

template <class T>
struct TileMoments {
  BatchNormForwardOf<T> p;
  const Moments* tiles;

  __device__ float rows(int64_t tile) const {
    const int64_t left = p.rows - tile * kMomentRows<T>;
    return static_cast<float>(left < kMomentRows<T> ? left : kMomentRows<T>);
  }
  __device__ Moments at(int64_t tile, int column) const { return tiles[tile * p.cols + column]; }
};

template <class T>
struct MeanOfTiles {
  static constexpr int kSums = 1;
  TileMoments<T> of;

  __device__ void add(int, int64_t tile, int column, float (&sum)[1]) const {
    sum[0] = fmaf(of.rows(tile), of.at(tile, column).mean, sum[0]);
  }
  __device__ void finish(int, int column, const double (&sum)[1]) const { finish_mean(of.p, column, sum[0]); }
};

// Squares about the tile's mean, and what they are more about the mean of all.
template <class T>
struct VarianceOfTiles {
  static constexpr int kSums = 1;
  TileMoments<T> of;

  __device__ void add(int, int64_t tile, int column, float (&sum)[1]) const {
    const Moments own = of.at(tile, column);
    const float d = own.mean - of.p.mean[column];
    sum[0] += fmaf(d * d, of.rows(tile), own.m2);
  }
  __device__ void finish(int, int column, const double (&sum)[1]) const { finish_variance(of.p, column, sum[0]); }
};

// body(window, first channel, first output) for each group.
template <class T, class Body>
void for_groups(const ConvNormForwardOf<T>& p, const Body& body) {
  const Window window(p.at);
  for (int64_t g = 0; g < p.at.groups; ++g) body(window, g * window.channels, g * window.outputs);
}

// product(patches, filters) of the group whose first channel and output these are.
template <class T, class Product>
void convolve(const ConvNormForwardOf<T>& p, const Window& window, int64_t c, int64_t o, const Product& product) {
  const PackedFilters<T> filters(window, static_cast<const float*>(p.weight->data) + o * window.length());
  product(by_row(Patches<T>{window, p.x + c}, window.positions), by_row(filters.rows(), window.outputs));
}

template <class T>
void convolve_with_statistics(const ConvNormForwardOf<T>& p, const BatchNormForwardOf<T>& norm) {
  const Conv3dForwardOf<T> conv = convolution_of(p);
  const int64_t tiles = blocks_of(norm.rows, kMomentRows<T>);
  const Workspace<Moments> moments(tiles * norm.cols);
  for_groups(p, [&](const Window& window, int64_t c, int64_t o) {
    const PutConvolved<T> out{conv.y + o, window.all_outputs, p.bias ? p.bias + o : nullptr,
                              pairs_in(conv.y + o, window.all_outputs)};
    convolve(p, window, c, o, [&](const auto& patches, const auto& filters) {
      multiply_with_moments<T>(patches, filters, window.length(), out, moments.data() + o, norm.cols);
    });
  });
  column_sums(1, tiles, norm.cols, MeanOfTiles<T>{{norm, moments.data()}});
  column_sums(1, tiles, norm.cols, VarianceOfTiles<T>{{norm, moments.data()}});
}

// -- evaluation: BatchNorm is a factor and a summand of each channel, which the product's results get at once --

template <class T>
struct Fold {
  BatchNormForwardOf<T> p;
  const float* bias;  // or null
  float *scale, *shift;

  __device__ void operator()(int64_t c) const {
    FixedStatistics<T>{p}(c);
    scale[c] = p.gamma[c] * p.rstd[c];
    shift[c] = fmaf((bias ? bias[c] : 0.0f) - p.mean[c], scale[c], p.beta[c]);
  }
};

template <class T>
struct PutFolded {
  T* y;
  int channels;
  const float *scale, *shift;
  bool gelu;

  bool pairs() const { return pairs_in(y, channels); }
  template <int N>
  __device__ void operator()(int64_t position, int n, int, const float (&value)[N]) const {
    float result[N];
    for (int i = 0; i < N; ++i) {
      result[i] = fmaf(value[i], scale[n + i], shift[n + i]);
      if (gelu) result[i] = gelu_of<T>(result[i]);
    }
    store(y + position * channels + n, result);
  }
};

template <class T>
void convolve_folded(const ConvNormForwardOf<T>& p, const BatchNormForwardOf<T>& norm) {
  const Workspace<float> factors(2 * norm.cols);
  float *scale = factors.data(), *shift = scale + norm.cols;
  launch_each(norm.cols, Fold<T>{norm, p.bias, scale, shift});
  for_groups(p, [&](const Window& window, int64_t c, int64_t o) {
    const PutFolded<T> out{p.y + o, window.all_outputs, scale + o, shift + o, p.gelu};
    convolve(p, window, c, o, [&](const auto& patches, const auto& filters) {
      multiply<T>(patches, filters, window.length(), scatter(PlainLayout{}, out));
    });
  });
}

}  // namespace

template <class T>
void conv_norm_forward(const ConvNormForwardOf<T>& p) {
  const BatchNormForwardOf<T> norm = norm_of(p);
  if (!p.training && !p.u) return convolve_folded(p, norm);
  if (p.training) {
    convolve_with_statistics(p, norm);
  } else {
    conv3d_forward(convolution_of(p));
    launch_each(norm.cols, FixedStatistics<T>{norm});
  }
  normalise(norm);
}
FOR_FLOATS(conv_norm_forward, ConvNormForward)

}  // namespace morphmlp::cuda
