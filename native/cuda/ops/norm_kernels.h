// LayerNorm kernels. kLanes lanes keep a row in registers, kRounds times 16 bytes each, and read it once: for rows of
// up to 1024 values whose length is a multiple of 16 bytes. Other rows are read value by value, as often as needed.
#pragma once
#include "cuda/epilogue/column_sums.h"
#include "cuda/ops/norm_rows.h"
#include "cuda/vectorized.h"

namespace morphmlp::cuda {

// Columns of a thread's vectors of a row. A block processes kGroups rows at a time.
template <int kRunOf, int kLanes, int kRounds>
struct RowShare {
  static constexpr int kThreads = Unshared::kThreads, kGroups = kThreads / kLanes, kNumbers = kRunOf;
  using Row = Vec<kRunOf>[kRounds];

  __device__ static int group() { return static_cast<int>(threadIdx.x) / kLanes; }
  __device__ static int column(int round) { return (round * kLanes + static_cast<int>(threadIdx.x) % kLanes) * kRunOf; }

  // Vectors beyond the end of the row are zeros.
  template <class T>
  __device__ static void read(const T* from, int columns, Row& to) {
#pragma unroll
    for (int q = 0; q < kRounds; ++q) to[q] = column(q) < columns ? load<kRunOf>(from + column(q)) : Vec<kRunOf>{};
  }
  template <class T>
  __device__ static void write(T* to, int columns, const Row& from) {
#pragma unroll
    for (int q = 0; q < kRounds; ++q)
      if (column(q) < columns) store(to + column(q), from[q]);
  }

  // Calls body(round, index) for the values inside the row.
  template <class Body>
  __device__ static void for_each(int columns, const Body& body) {
#pragma unroll
    for (int q = 0; q < kRounds; ++q)
#pragma unroll
      for (int j = 0; j < kRunOf; ++j)
        if (column(q) < columns) body(q, j);
  }

  __device__ static float sum(float mine) { return lanes_sum<kLanes>(mine); }
};

// Computes mean, rstd and y. Squares are taken of differences from the mean, so that a large mean costs no digits.
template <class T, class Share>
struct NormRows : Unshared {
  NormForward<T> p;
  int columns;

  __device__ void operator()(None&) const {
    const int64_t r = static_cast<int64_t>(blockIdx.x) * Share::kGroups + Share::group();
    const bool inside = r < p.rows;
    const int own = inside ? columns : 0;  // all lanes of a warp sum together
    typename Share::Row x;
    Share::read(p.x + r * columns, own, x);
    float sum = 0, squares = 0;
    Share::for_each(own, [&](int q, int j) { sum += x[q].at[j]; });
    const float mean = Share::sum(sum) / static_cast<float>(columns);
    Share::for_each(own, [&](int q, int j) {
      const float d = x[q].at[j] - mean;
      squares = fmaf(d, d, squares);
    });
    const float rstd = 1.0f / sqrtf(Share::sum(squares) / static_cast<float>(columns) + p.eps);
    if (inside && Share::column(0) == 0) {
      p.mean[r] = mean;
      p.rstd[r] = rstd;
    }
    if (p.y) finish(r, own, mean, rstd, x);
  }

 private:
  __device__ void finish(int64_t r, int own, float mean, float rstd, typename Share::Row& x) const {
    typename Share::Row gamma, beta;
    Share::read(p.gamma, own, gamma);
    Share::read(p.beta, own, beta);
    Share::for_each(
        own, [&](int q, int j) { x[q].at[j] = fmaf((x[q].at[j] - mean) * rstd, gamma[q].at[j], beta[q].at[j]); });
    Share::write(p.y + r * columns, own, x);
  }
};

// Computes dx and, for a split of the rows, the sums for dgamma and dbeta. With g = dy * gamma: dx = rstd * (g -
// mean(g) - xhat * mean(g * xhat)).
template <class T, class Share>
struct NormRowsBackward {
  static constexpr int kThreads = Share::kThreads;
  struct Shared {
    float at[2][kThreads / Share::kGroups * sizeof(typename Share::Row) / sizeof(float)];
  };

  NormGradient<T> p;
  int columns;
  int64_t part;
  float* sums;  // [part][dgamma, dbeta][columns]

  __device__ void operator()(Shared& s) const {
    const int64_t begin = blockIdx.x * part, end = begin + part < p.rows ? begin + part : p.rows;
    typename Share::Row gamma, dgamma = {}, dbeta = {};
    Share::read(p.gamma, columns, gamma);
    for (int64_t first = begin; first < end; first += Share::kGroups)
      add_row(first + Share::group(), end, gamma, dgamma, dbeta);
    add_up(s, dgamma, dbeta);
  }

 private:
  using Row = typename Share::Row;

  __device__ void add_row(int64_t r, int64_t end, const Row& gamma, Row& dgamma, Row& dbeta) const {
    const int own = r < end ? columns : 0;
    const float mean = own ? p.mean[r] : 0.0f, rstd = own ? p.rstd[r] : 0.0f;
    Row x, dy;
    Share::read(p.x + r * columns, own, x);
    Share::read(p.dy + r * columns, own, dy);
    float sum = 0, dot = 0;
    Share::for_each(own, [&](int q, int j) {
      x[q].at[j] = (x[q].at[j] - mean) * rstd;
      const float d = dy[q].at[j], g = d * gamma[q].at[j];
      dgamma[q].at[j] = fmaf(d, x[q].at[j], dgamma[q].at[j]);
      dbeta[q].at[j] += d;
      sum += g;
      dot = fmaf(g, x[q].at[j], dot);
    });
    const float mean_g = Share::sum(sum) / static_cast<float>(columns);
    const float mean_gx = Share::sum(dot) / static_cast<float>(columns);
    Share::for_each(own, [&](int q, int j) {
      dy[q].at[j] = rstd * (dy[q].at[j] * gamma[q].at[j] - mean_g - x[q].at[j] * mean_gx);
    });
    if (p.residual) {
      Share::read(p.residual + r * columns, own, x);
      Share::for_each(own, [&](int q, int j) { dy[q].at[j] = x[q].at[j] + dy[q].at[j]; });
    }
    Share::write(p.dx + r * columns, own, dy);
  }

  // Adds the sums of the groups of the block, one after another.
  __device__ void add_up(Shared& s, const Row& dgamma, const Row& dbeta) const {
    for (int group = 0; group < Share::kGroups; ++group) {
      if (group == Share::group())
        Share::for_each(columns, [&](int q, int j) {
          const int c = Share::column(q) + j;
          s.at[0][c] = dgamma[q].at[j] + (group > 0 ? s.at[0][c] : 0.0f);
          s.at[1][c] = dbeta[q].at[j] + (group > 0 ? s.at[1][c] : 0.0f);
        });
      __syncthreads();
    }
    float* to = sums + static_cast<int64_t>(blockIdx.x) * 2 * columns;
    for (int i = static_cast<int>(threadIdx.x); i < 2 * columns; i += kThreads) to[i] = s.at[i / columns][i % columns];
  }
};

struct InGammaAndBeta {
  float *dgamma, *dbeta;
  int64_t columns;
  __device__ void operator()(int64_t i, float value) const {
    *(i < columns ? dgamma + i : dbeta + (i - columns)) = value;
  }
};

// -- rows of any length --

template <class T>
struct AnyRows : WarpRows {
  NormForward<T> p;
  int columns;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= p.rows) return;
    const T* from = p.x + r * columns;
    float sum = 0, squares = 0;
    for (int c = lane(); c < columns; c += kWarpSize) sum += load(from + c);
    const float m = warp_sum(sum) / static_cast<float>(columns);
    for (int c = lane(); c < columns; c += kWarpSize) {
      const float d = load(from + c) - m;
      squares = fmaf(d, d, squares);
    }
    const float scale = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(columns) + p.eps);
    if (lane() == 0) {
      p.mean[r] = m;
      p.rstd[r] = scale;
    }
    for (int c = lane(); c < columns && p.y; c += kWarpSize)
      store(p.y + r * columns + c, fmaf((load(from + c) - m) * scale, p.gamma[c], p.beta[c]));
  }
};

template <class T>
struct AnyRowsBackward : WarpRows {
  NormGradient<T> p;
  int columns;

  __device__ void operator()(None&) const {
    const int64_t r = row();
    if (r >= p.rows) return;
    const int64_t first = r * columns;
    float sum = 0, dot = 0;
    for (int c = lane(); c < columns; c += kWarpSize) {
      const float g = load(p.dy + first + c) * p.gamma[c];
      sum += g;
      dot = fmaf(g, normed(r, first + c), dot);
    }
    const float mean_g = warp_sum(sum) / static_cast<float>(columns);
    const float mean_gx = warp_sum(dot) / static_cast<float>(columns);
    for (int c = lane(); c < columns; c += kWarpSize) {
      const float g = load(p.dy + first + c) * p.gamma[c];
      const float d = p.rstd[r] * (g - mean_g - normed(r, first + c) * mean_gx);
      store(p.dx + first + c, p.residual ? load(p.residual + first + c) + d : d);
    }
  }

 private:
  __device__ float normed(int64_t r, int64_t i) const { return (load(p.x + i) - p.mean[r]) * p.rstd[r]; }
};

template <class T>
struct AnyParameters {
  static constexpr int kSums = 2;
  NormGradient<T> p;

  __device__ void add(int, int64_t row, int column, float (&sum)[2]) const {
    const float d = load(p.dy + row * p.columns + column);
    sum[0] = fmaf(d, (load(p.x + row * p.columns + column) - p.mean[row]) * p.rstd[row], sum[0]);
    sum[1] += d;
  }
  __device__ void finish(int, int column, const double (&sum)[2]) const {
    p.dgamma[column] = static_cast<float>(sum[0]);
    p.dbeta[column] = static_cast<float>(sum[1]);
  }
};

// -- launches --

// Calls launch(RowShare) with the fewest registers that hold a row of so many columns; false for longer rows.
template <class T, class Launch>
bool with_share(int64_t columns, const Launch& launch) {
  constexpr int N = kVecSize<T>, kNarrow = 128 / N;  // a row of up to 128 numbers needs no more lanes
  if (columns <= 128) return launch(RowShare<N, kNarrow, 1>{}), true;
  if (columns <= 256) return launch(RowShare<N, kWarpSize, 256 / kWarpSize / N>{}), true;
  if (columns <= 512) return launch(RowShare<N, kWarpSize, 512 / kWarpSize / N>{}), true;
  if (columns <= 1024) return launch(RowShare<N, kWarpSize, 1024 / kWarpSize / N>{}), true;
  return false;
}

template <class T>
void norm_forward(const NormForward<T>& p) {
  const int columns = as_int(p.columns);
  const bool runs = p.columns % kVecSize<T> == 0 && aligned(p.x, p.y) && aligned(p.gamma, p.beta);
  const auto by_runs = [&](auto share) {
    using Share = decltype(share);
    launch({blocks_of(p.rows, Share::kGroups)}, NormRows<T, Share>{{}, p, columns});
  };
  if (!runs || !with_share<T>(p.columns, by_runs)) launch_rows(p.rows, AnyRows<T>{{}, p, columns});
}

// Splits of 8 to 64 rows for each group of lanes: enough to fill a large GPU, by the shape alone.
template <class T, class Share>
void norm_backward_by(const NormGradient<T>& p) {
  const int64_t each = std::clamp<int64_t>(blocks_of(p.rows, Share::kGroups * 1024), 8, 64);
  const int64_t part = each * Share::kGroups, parts = blocks_of(p.rows, part);
  const Workspace<float> sums(parts * 2 * p.columns);
  launch({parts}, NormRowsBackward<T, Share>{p, as_int(p.columns), part, sums.data()});
  reduce_partials(sums.data(), parts, 2 * p.columns, InGammaAndBeta{p.dgamma, p.dbeta, p.columns});
}

template <class T>
void norm_backward(const NormGradient<T>& p) {
  const bool runs = p.columns % kVecSize<T> == 0 && aligned(p.x, p.dy, p.residual, p.dx) && aligned(p.gamma);
  if (runs && with_share<T>(p.columns, [&](auto share) { norm_backward_by<T, decltype(share)>(p); })) return;
  column_sums(1, p.rows, p.columns, AnyParameters<T>{p});
  launch_rows(p.rows, AnyRowsBackward<T>{{}, p, as_int(p.columns)});
}

}  // namespace morphmlp::cuda
