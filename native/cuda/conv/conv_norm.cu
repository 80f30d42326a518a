#include "ops/conv_norm_parts.h"

#include "cuda/conv/im2col.h"
#include "cuda/epilogue/column_sums.h"
#include "cuda/gemm/gemm_bn_stats.h"
#include "cuda/ops/batch_norm.h"

namespace morphmlp::cuda {

template <class T>
void conv3d_forward(const Conv3dForwardOf<T>& p);

namespace {

// -- training: statistics from the tiles of the product --

// Rounds the convolution's result before the statistics are taken, which so describe the values that the backward
// reads.
template <class T>
struct ConvEpilogue {
  T* y;
  int channels;
  const float* bias;  // or null
  bool pairs;

  using Row = T*;
  template <int N>
  __device__ void apply(Row, int n, float (&value)[N]) const {
    for (int i = 0; i < N; ++i) {
      T rounded;
      store(&rounded, bias ? value[i] + bias[n + i] : value[i]);
      value[i] = load(&rounded);
    }
  }

  __device__ Row row(int m) const { return y + static_cast<int64_t>(m) * channels; }
  template <int N>
  __device__ void write(Row row, int n, const float (&value)[N]) const {
    store(row + n, value);
  }
};

template <class T>
struct TileMoments {
  BatchNormForwardOf<T> p;
  const Moments* tiles;

  __device__ float rows(int64_t tile) const {
    const int64_t left = p.rows - tile * kBnStatsRows<T>;
    return static_cast<float>(left < kBnStatsRows<T> ? left : kBnStatsRows<T>);
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

// Squares about the mean of the tile, corrected to the mean of all.
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

// Calls body(geometry, first channel, first output) for each group.
template <class T, class Body>
void for_groups(const ConvNormForwardOf<T>& p, const Body& body) {
  const ConvGeometry geometry(p.at);
  for (int64_t g = 0; g < p.at.groups; ++g) body(geometry, g * geometry.channels, g * geometry.outputs);
}

// Calls product(patches, filters) for the group that begins at these channels.
template <class T, class GemmFor>
void convolve(const ConvNormForwardOf<T>& p, const ConvGeometry& geometry, int64_t c, int64_t o,
              const GemmFor& product) {
  const PackedFilters<T> filters(geometry, static_cast<const float*>(p.weight->data) + o * geometry.length());
  product(by_row(Im2colRows<T>{geometry, p.x + c}, geometry.positions), by_row(filters.rows(), geometry.outputs));
}

template <class T>
void convolve_with_statistics(const ConvNormForwardOf<T>& p, const BatchNormForwardOf<T>& norm) {
  const Conv3dForwardOf<T> conv = convolution_of(p);
  const int64_t tiles = blocks_of(norm.rows, kBnStatsRows<T>);
  const Workspace<Moments> moments(tiles * norm.cols);
  for_groups(p, [&](const ConvGeometry& geometry, int64_t c, int64_t o) {
    const ConvEpilogue<T> out{conv.y + o, geometry.all_outputs, p.bias ? p.bias + o : nullptr,
                              can_pair_rows(conv.y + o, geometry.all_outputs)};
    convolve(p, geometry, c, o, [&](const auto& patches, const auto& filters) {
      multiply_with_bn_stats<T>(patches, filters, geometry.length(), out, moments.data() + o, norm.cols);
    });
  });
  column_sums(1, tiles, norm.cols, MeanOfTiles<T>{{norm, moments.data()}});
  column_sums(1, tiles, norm.cols, VarianceOfTiles<T>{{norm, moments.data()}});
}

// -- evaluation: BatchNorm folds into a scale and a shift of each channel, applied in the epilogue --

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
struct FoldedNormEpilogue {
  T* y;
  int channels;
  const float *scale, *shift;
  bool gelu;

  bool pairs() const { return can_pair_rows(y, channels); }
  template <int N>
  __device__ void apply(int64_t, int c, int, float (&value)[N]) const {
    for (int i = 0; i < N; ++i) {
      value[i] = fmaf(value[i], scale[c + i], shift[c + i]);
      if (gelu) value[i] = gelu_of<T>(value[i]);
    }
  }
  template <int N>
  __device__ void write(int64_t position, int c, const float (&value)[N]) const {
    store(y + position * channels + c, value);
  }
};

template <class T>
void convolve_folded(const ConvNormForwardOf<T>& p, const BatchNormForwardOf<T>& norm) {
  const Workspace<float> factors(2 * norm.cols);
  float *scale = factors.data(), *shift = scale + norm.cols;
  launch_each(norm.cols, Fold<T>{norm, p.bias, scale, shift});
  for_groups(p, [&](const ConvGeometry& geometry, int64_t c, int64_t o) {
    const FoldedNormEpilogue<T> out{p.y + o, geometry.all_outputs, scale + o, shift + o, p.gelu};
    convolve(p, geometry, c, o, [&](const auto& patches, const auto& filters) {
      multiply<T>(patches, filters, geometry.length(), scatter(PlainLayout{}, out));
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
