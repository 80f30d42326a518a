// Holds what memory limits, which reads 16 bytes a thread, to plain loops: LayerNorm over rows of all kinds of lengths,
// several parts, a residual, dx in place of dy; and launches by runs, with ends and tensors that are no runs.
#include "cuda/ops/norm_kernels.h"
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

template <class T>
struct Norm {
  Norm(int rows, int columns)
      : rows(rows),
        columns(columns),
        x(numbers<T>(int64_t{rows} * columns, 5)),
        dy(numbers<T>(int64_t{rows} * columns, 60)),
        residual(numbers<T>(int64_t{rows} * columns, 33)),
        y(x.size()),
        gamma(numbers<float>(columns, 7)),
        beta(numbers<float>(columns, 71)),
        mean(rows, NAN),
        rstd(rows, NAN),
        dgamma(columns, NAN),
        dbeta(columns, NAN) {}

  void forward() {
    norm_forward<T>({rows, columns, 1e-5f, x.data(), gamma.data(), beta.data(), mean.data(), rstd.data(), y.data()});
  }
  // In place of dy.
  void backward() {
    dx = dy;
    norm_backward<T>({rows, columns, x.data(), gamma.data(), mean.data(), rstd.data(), dx.data(), residual.data(),
                      dx.data(), dgamma.data(), dbeta.data()});
  }

  double at(const std::vector<T>& of, int i, int j) const { return load(&of[static_cast<size_t>(i) * columns + j]); }
  double mean_of(int i) const {
    double sum = 0;
    for (int j = 0; j < columns; ++j) sum += at(x, i, j);
    return sum / columns;
  }
  double rstd_of(int i) const {
    const double m = mean_of(i);
    double sum = 0;
    for (int j = 0; j < columns; ++j) sum += (at(x, i, j) - m) * (at(x, i, j) - m);
    return 1 / std::sqrt(sum / columns + 1e-5);
  }

  int rows, columns;
  std::vector<T> x, dy, residual, y, dx;
  std::vector<float> gamma, beta, mean, rstd, dgamma, dbeta;
};

// LayerNorm in double.
template <class T>
struct Expected {
  explicit Expected(const Norm<T>& n) : n(n), mean(n.rows), rstd(n.rows), mean_g(n.rows), mean_gx(n.rows) {
    for (int i = 0; i < n.rows; ++i) {
      mean[i] = n.mean_of(i), rstd[i] = n.rstd_of(i);
      for (int j = 0; j < n.columns; ++j) {
        mean_g[i] += n.at(n.dy, i, j) * n.gamma[j] / n.columns;
        mean_gx[i] += n.at(n.dy, i, j) * n.gamma[j] * xhat(i, j) / n.columns;
      }
    }
  }

  double xhat(int i, int j) const { return (n.at(n.x, i, j) - mean[i]) * rstd[i]; }
  double y(int i, int j) const { return xhat(i, j) * n.gamma[j] + n.beta[j]; }
  double dx(int i, int j) const {
    const double g = n.at(n.dy, i, j) * n.gamma[j];
    return n.at(n.residual, i, j) + rstd[i] * (g - mean_g[i] - xhat(i, j) * mean_gx[i]);
  }
  double dgamma(int j) const {
    double sum = 0;
    for (int i = 0; i < n.rows; ++i) sum += n.at(n.dy, i, j) * xhat(i, j);
    return sum;
  }
  double dbeta(int j) const {
    double sum = 0;
    for (int i = 0; i < n.rows; ++i) sum += n.at(n.dy, i, j);
    return sum;
  }

  const Norm<T>& n;
  std::vector<double> mean, rstd, mean_g, mean_gx;
};

template <class T>
bool layer_norm(int rows, int columns) {
  Norm<T> n(rows, columns);
  n.forward();
  n.backward();
  const Expected<T> right(n);
  const auto share_of = [](int m, int k, auto found, auto expected) { return share(off(m, k, found, expected)); };
  const double tokens = worse(
      share_of(
          rows, columns, [&](int i, int j) { return n.at(n.y, i, j); }, [&](int i, int j) { return right.y(i, j); }),
      share_of(
          rows, columns, [&](int i, int j) { return n.at(n.dx, i, j); }, [&](int i, int j) { return right.dx(i, j); }));
  const double sums =
      worse(share_of(
                columns, 1, [&](int j, int) { return n.dgamma[j]; }, [&](int j, int) { return right.dgamma(j); }),
            share_of(
                columns, 1, [&](int j, int) { return n.dbeta[j]; }, [&](int j, int) { return right.dbeta(j); }));
  const bool fine = tokens <= (sizeof(T) == 2 ? 4e-3 : 1e-6) && sums <= 1e-6;
  return report(fine, "LayerNorm of %d x %d, %zu bytes a number: off by %.1e, parameters %.1e", rows, columns,
                sizeof(T), tokens, sums);
}

// y = 2 x
template <class T>
struct Twice {
  const T* x;
  T* y;
  template <int N>
  __device__ void run(int64_t i) const {
    Vec<N> value = load<N>(x + i);
    for (float& v : value.at) v *= 2;
    store(y + i, value);
  }
};

// y = x + the number of its clip.
template <class T>
struct AddClip {
  const T* x;
  T* y;
  int64_t rows, columns;
  template <int N>
  __device__ void run(int clip, int64_t begin, int64_t end, int c) const {
    for (int64_t row = begin; row < end; ++row) {
      Vec<N> value = load<N>(x + (clip * rows + row) * columns + c);
      for (float& v : value.at) v += static_cast<float>(clip);
      store(y + (clip * rows + row) * columns + c, value);
    }
  }
};

template <class T>
bool runs(int n, int shift) {
  const std::vector<T> x = numbers<T>(n + shift, 5);
  std::vector<T> y = numbers<T>(n + shift + 1, 60);
  const float behind = load(&y.back());
  const T* from = x.data() + shift;
  launch_vectorized<kVecSize<T>>(n, aligned(from), Twice<T>{from, y.data() + shift});
  const Off found = off(
      1, n, [&](int, int i) { return load(&y[shift + i]); }, [&](int, int i) { return 2.0 * load(from + i); });
  return report(found.worst == 0 && load(&y.back()) == behind, "runs of %d, from %d on: off by %.1e", n, shift,
                found.worst);
}

template <class T>
bool columns(int clips, int rows, int columns) {
  const std::vector<T> x = numbers<T>(int64_t{clips} * rows * columns, 5);
  std::vector<T> y = x;
  for (T& v : y) store(&v, NAN);
  launch_vectorized_columns<kVecSize<T>>(clips, rows, columns, true, AddClip<T>{x.data(), y.data(), rows, columns});
  const Off found = off(
      clips * rows, columns, [&](int i, int j) { return load(&y[i * columns + j]); },
      [&](int i, int j) { return i / rows + static_cast<double>(load(&x[i * columns + j])); });
  return report(found.worst == 0, "columns of %d x %d x %d: off by %.1e", clips, rows, columns, found.worst);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  using morphmlp::Bf16;
  bool right = true;
  for (const int length : {84, 112, 224, 392, 784, 1032}) {
    right = layer_norm<float>(140, length) && right;
    right = layer_norm<Bf16>(140, length) && right;
  }
  right = layer_norm<Bf16>(1, 16) & runs<float>(2051, 0) & runs<Bf16>(2051, 0) & runs<Bf16>(40, 3) && right;
  right = columns<float>(2, 19, 24) & columns<Bf16>(3, 130, 24) & columns<Bf16>(2, 9, 12) && right;
  return right ? 0 : 1;
}
