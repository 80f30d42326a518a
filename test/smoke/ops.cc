// Cases of whole ops, by their entry points of native/cuda/ops: elementwise, norms, FCs, the fused MLP, graphs.
#include "test/smoke/ops.h"

#include <array>
#include <memory>

#include "ops/adamw.h"
#include "ops/gelu.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/norm_mlp.h"
#include "ops/temporal_fc.h"
#include "test/smoke/arrays.h"

namespace morphmlp {

// Here a buffer only names memory of an Array.
Buffer::Buffer(DType dtype, Device device, int64_t length, void* borrowed)
    : dtype(dtype), device(device), length(length), data(borrowed), owned(false) {}
Buffer::~Buffer() = default;

namespace cuda {

// Defined in native/cuda/ops, which has no headers for them.
#define DECLARE(name, Args) \
  template <class T>        \
  void name(const Args##Of<T>&);
DECLARE(gelu_forward, GeluForward)
DECLARE(gelu_backward, GeluBackward)
DECLARE(layer_norm_forward, LayerNormForward)
DECLARE(layer_norm_backward, LayerNormBackward)
DECLARE(linear_forward, LinearForward)
DECLARE(linear_backward, LinearBackward)
DECLARE(temporal_fc_forward, TemporalFcForward)
DECLARE(norm_mlp_forward, NormMlpForward)
#undef DECLARE
void adamw_step(const AdamwStep&);
void adamw_numbers(const AdamwNumbers&);

}  // namespace cuda

namespace smoke {
namespace {

using Doubles = std::vector<double>;

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double gelu_slope(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI);
}

template <class T>
Figures gelus() {
  constexpr int64_t n = 20 * 256 + 3;
  const Doubles x = numbers(n, 1, 4), dy = numbers(n, 2);
  Doubles y, dx;
  for (int64_t i = 0; i < n; ++i) y.push_back(gelu(x[i])), dx.push_back(dy[i] * gelu_slope(x[i]));
  Array<T> to_x(x), to_dy(dy), to_y(n), to_dx(n);
  Figures f;
  launch_twice(f, {&to_y, &to_dx}, [&] {
    cuda::gelu_forward<T>({n, to_x.data(), to_y.data()});
    cuda::gelu_backward<T>({n, to_x.data(), to_dy.data(), to_dx.data()});
  });
  compare(f, "y", to_y.read(), y, kLimit<T>);
  compare(f, "dx", to_dx.read(), dx, kLimit<T>);
  return f;
}

// Tensors of one value, of a part of a chunk, and of several chunks.
struct Adamw {
  static constexpr double kRate = 0.01, kDecay = 0.05, kEps = 1e-8;

  Adamw() {
    for (const int64_t n : {1, 1003, 40000}) {
      const auto seed = static_cast<uint32_t>(n);
      values.push_back({numbers(n, seed), numbers(n, seed + 1), Doubles(n), Doubles(n)});
      for (const Doubles& v : values.back()) arrays.push_back(std::make_unique<Array<float>>(v));
    }
  }

  AdamwStep arguments(int64_t step) const {
    AdamwStep p{};
    p.lr = kRate, p.beta1 = 0.9f, p.beta2 = 0.999f, p.eps = kEps, p.decay = kDecay, p.step = step;
    for (size_t i = 0; i < arrays.size(); i += 4) {
      p.lengths.push_back(static_cast<int64_t>(values[i / 4][0].size()));
      p.parameters.push_back(arrays[i]->data()), p.gradients.push_back(arrays[i + 1]->data());
      p.first.push_back(arrays[i + 2]->data()), p.second.push_back(arrays[i + 3]->data());
    }
    return p;
  }

  void expect(int64_t step) {
    const double beta1 = 0.9f, beta2 = 0.999f, c1 = 1 - std::pow(beta1, step), c2 = 1 - std::pow(beta2, step);
    for (auto& [w, g, m, v] : values)
      for (size_t i = 0; i < w.size(); ++i) {
        m[i] += (1 - beta1) * (g[i] - m[i]), v[i] += (1 - beta2) * (g[i] * g[i] - v[i]);
        w[i] = w[i] * (1 - kRate * kDecay) - kRate / c1 * m[i] / (std::sqrt(v[i] / c2) + kEps);
      }
  }

  void check(Figures& f) const {
    for (size_t i = 0; i < arrays.size(); ++i)
      compare(f, "parameters and moments", arrays[i]->read(), values[i / 4][i % 4], 2e-6);
  }

  std::vector<std::array<Doubles, 4>> values;  // parameter, gradient, moments
  std::vector<std::unique_ptr<Array<float>>> arrays;
};

Figures adamw() {
  Adamw a;
  Figures f;
  for (int64_t step = 1; step <= 3; ++step) {
    cuda::start_timer();
    cuda::adamw_step(a.arguments(step));
    f.ms = cuda::stop_timer();
    a.expect(step);
  }
  a.check(f);
  return f;
}

// Statistics of a row.
struct Row {
  Row(const double* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) mean += x[i] / static_cast<double>(n);
    double variance = 0;
    for (int64_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
    rstd = 1 / std::sqrt(variance + 1e-5);
  }
  double mean = 0, rstd = 0;
};

struct NormValues {
  NormValues(int64_t rows, int64_t n)
      : x(numbers(rows * n, 1)),
        dy(numbers(rows * n, 2)),
        gamma(numbers(n, 3)),
        beta(numbers(n, 4)),
        dgamma(n),
        dbeta(n) {
    for (int64_t r = 0; r < rows; ++r) add_row(r * n, n);
  }
  void add_row(int64_t first, int64_t n) {
    const Row row(&x[first], n);
    double g = 0, gx = 0;
    const auto normed = [&](int64_t i) { return (x[first + i] - row.mean) * row.rstd; };
    for (int64_t i = 0; i < n; ++i) {
      const double d = dy[first + i];
      y.push_back(normed(i) * gamma[i] + beta[i]);
      g += d * gamma[i] / static_cast<double>(n), gx += d * gamma[i] * normed(i) / static_cast<double>(n);
      dgamma[i] += d * normed(i), dbeta[i] += d;
    }
    for (int64_t i = 0; i < n; ++i) dx.push_back(row.rstd * (dy[first + i] * gamma[i] - g - normed(i) * gx));
  }
  Doubles x, dy, gamma, beta, y, dx, dgamma, dbeta;
};

template <class T>
void layer_norm(Figures& f, int64_t rows, int64_t n) {
  const NormValues v(rows, n);
  const Array<T> x(v.x), dy(v.dy);
  const Array<float> gamma(v.gamma), beta(v.beta);
  Array<T> y(rows * n), dx(rows * n);
  Array<float> mean(rows), rstd(rows), dgamma(n), dbeta(n);
  launch_twice(f, {&y, &dx, &mean, &rstd, &dgamma, &dbeta}, [&] {
    cuda::layer_norm_forward<T>(
        {rows, n, 1e-5f, x.data(), gamma.data(), beta.data(), y.data(), mean.data(), rstd.data()});
    cuda::layer_norm_backward<T>(
        {rows, n, x.data(), gamma.data(), mean.data(), rstd.data(), dy.data(), dx.data(), dgamma.data(), dbeta.data()});
  });
  compare(f, "y", y.read(), v.y, kLimit<T>);
  compare(f, "dx", dx.read(), v.dx, kLimit<T>);
  compare(f, "dgamma", dgamma.read(), v.dgamma, kLimit<float>);
  compare(f, "dbeta", dbeta.read(), v.dbeta, kLimit<float>);
}

// Rows of all kinds: of whole vectors, up to 1024 long and longer, and of other lengths.
template <class T>
Figures layer_norms() {
  Figures f;
  for (const int64_t n : {84, 112, 224, 392, 784, 1032}) layer_norm<T>(f, 67, n);
  return f;
}

// y = x W^T + b and its gradients.
template <class T>
struct Fc {
  Fc(int64_t rows, int64_t n, int64_t k)
      : rows(rows),
        n(n),
        k(k),
        values{numbers(rows * k, 1), numbers(n * k, 2), numbers(n, 3), numbers(rows * n, 4)},
        weight(values[1]),
        x(values[0]),
        dy(values[3]),
        y(rows * n),
        dx(rows * k),
        bias(values[2]),
        dw(n * k),
        db(n) {}

  void forward() {
    cuda::linear_forward<T>({rows, n, k, false, x.data(), weight.buffer(), bias.data(), y.data(), nullptr});
  }
  void backward() {
    cuda::linear_backward<T>({rows, n, k, x.data(), weight.buffer(), dy.data(), dx.data(), dw.data(), db.data()});
  }

  Doubles expected_y() const {
    Doubles out;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < n; ++j) {
        double sum = values[2][j];
        for (int64_t i = 0; i < k; ++i) sum += values[0][r * k + i] * values[1][j * k + i];
        out.push_back(sum);
      }
    return out;
  }

  void check_gradients(Figures& f) const {
    Doubles right_dx(rows * k), right_dw(n * k), right_db(n);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < n; ++j) {
        const double d = values[3][r * n + j];
        right_db[j] += d;
        for (int64_t i = 0; i < k; ++i) {
          right_dx[r * k + i] += d * values[1][j * k + i];
          right_dw[j * k + i] += d * values[0][r * k + i];
        }
      }
    compare(f, "dx", dx.read(), right_dx, kLimit<T>);
    compare(f, "dweight", dw.read(), right_dw, kLimit<float>);
    compare(f, "dbias", db.read(), right_db, kLimit<float>);
  }

  int64_t rows, n, k;
  Doubles values[4];
  Weight weight;
  Array<T> x, dy, y, dx;
  Array<float> bias, dw, db;
};

template <class T>
void linear(Figures& f, int64_t rows, int64_t n, int64_t k) {
  Fc<T> fc(rows, n, k);
  launch_twice(f, {&fc.y, &fc.dx, &fc.dw, &fc.db}, [&] { fc.forward(), fc.backward(); });
  compare(f, "y", fc.y.read(), fc.expected_y(), kLimit<T>);
  fc.check_gradients(f);
}

// Read value by value, and by vectors; several tiles in every direction.
template <class T>
Figures linears() {
  Figures f;
  linear<T>(f, 131, 117, 71);
  linear<T>(f, 300, 120, 168);
  return f;
}

// Both operands read by TMA where they can be; the weight's gradient has a transposed first operand.
Figures linears_by_wgmma() {
  cuda::use_gemm_backend("wgmma");
  const double before = cuda::wgmma_launches();
  Figures f = linears<Bf16>();
  if (cuda::wgmma_launches() == before) compare(f, "no product ran on wgmma", {INFINITY}, {1}, 1);
  return f;
}

// Runs of 14 channels, which are no whole vectors.
template <class T>
Figures temporal() {
  constexpr int64_t clips = 2, steps = 3, positions = 35, channels = 112, groups = 8, run = channels / groups;
  constexpr int64_t tokens = clips * steps * positions, length = steps * run;
  const Doubles x = numbers(tokens * channels, 1), w = numbers(length * length, 2), b = numbers(length, 3);
  Doubles y(x.size());
  for (int64_t clip = 0; clip < clips; ++clip)
    for (int64_t at = 0; at < positions * groups * length; ++at) {
      const int64_t position = at / length / groups, group = at / length % groups, to = at % length;
      const auto place = [&](int64_t i) {
        return ((clip * steps + i / run) * positions + position) * channels + group * run + i % run;
      };
      double sum = b[to];
      for (int64_t i = 0; i < length; ++i) sum += w[to * length + i] * x[place(i)];
      y[place(to)] = sum;
    }
  Array<T> to_x(x), to_y(tokens * channels);
  Array<float> bias(b);
  Weight weight(w);
  Figures f;
  launch_twice(f, {&to_y}, [&] {
    cuda::temporal_fc_forward<T>(
        {{clips, steps, positions, channels, groups}, to_x.data(), weight.buffer(), bias.data(), to_y.data()});
  });
  compare(f, "y", to_y.read(), y, kLimit<T>);
  return f;
}

// The fused MLP keeps LN(x) and the hidden values as bf16, which its limit allows for.
struct Mlp {
  static constexpr int64_t kRows = 131;
  static constexpr double kScale = 1.25, kAllowed = 0.012;

  Mlp(int64_t c, int64_t h)
      : c(c),
        h(h),
        x(numbers(kRows * c, 1)),
        gamma(numbers(c, 2, 0.25, 1)),
        beta(numbers(c, 3, 0.125)),
        w1(numbers(h * c, 4, 0.125)),
        b1(numbers(h, 5, 0.125)),
        w2(numbers(c * h, 6, 0.125)),
        b2(numbers(c, 7, 0.125)) {
    for (int64_t r = 0; r < kRows; ++r) add_row(&x[r * c]);
  }

  void run(Figures& f) {
    const Array<Bf16> from(x);
    const Array<float> g(gamma), b(beta), bias1(b1), bias2(b2), scale(Doubles{kScale});
    Weight weight1(w1), weight2(w2);
    Array<Bf16> to(kRows * c), to_z(kRows * h);
    Array<float> mean(kRows), rstd(kRows);
    launch_twice(f, {&to, &to_z, &mean, &rstd}, [&] {
      cuda::norm_mlp_forward<Bf16>({{kRows, c, h, kRows},
                                    1e-5f,
                                    from.data(),
                                    g.data(),
                                    b.data(),
                                    weight1.buffer(),
                                    bias1.data(),
                                    weight2.buffer(),
                                    bias2.data(),
                                    scale.data(),
                                    to.data(),
                                    mean.data(),
                                    rstd.data(),
                                    to_z.data()});
    });
    compare(f, "y", to.read(), y, kAllowed);
    compare(f, "z", to_z.read(), z, kAllowed);
  }

 private:
  void add_row(const double* from) {
    const Row row(from, c);
    Doubles normed, hidden;
    for (int64_t i = 0; i < c; ++i) normed.push_back((from[i] - row.mean) * row.rstd * gamma[i] + beta[i]);
    for (int64_t j = 0; j < h; ++j) {
      double sum = b1[j];
      for (int64_t i = 0; i < c; ++i) sum += w1[j * c + i] * normed[i];
      z.push_back(sum), hidden.push_back(gelu(sum));
    }
    for (int64_t i = 0; i < c; ++i) {
      double sum = b2[i];
      for (int64_t j = 0; j < h; ++j) sum += w2[i * h + j] * hidden[j];
      y.push_back(from[i] + kScale * sum);
    }
  }

  int64_t c, h;
  Doubles x, gamma, beta, w1, b1, w2, b2, y, z;
};

Figures mlps() {
  Figures f;
  for (const int64_t c : {12, 84, 112, 168, 224}) Mlp(c, 152).run(f);
  return f;
}

// A chain of launches as a graph: recording runs nothing, a replay gives the launched bits, and reads new inputs.
Figures graph_of_launches() {
  Fc<Bf16> fc(131, 112, 168);
  Array<Bf16> activated(131 * 112);
  const auto launch = [&] {
    fc.forward();
    cuda::gelu_forward<Bf16>({131 * 112, fc.y.data(), activated.data()});
    fc.backward();
  };
  const std::vector<const Memory*> outputs{&fc.y, &activated, &fc.dx, &fc.dw, &fc.db};
  const auto bits = [&] {
    std::vector<std::vector<char>> all;
    for (const Memory* output : outputs) all.push_back(output->bits());
    return all;
  };
  const auto poisoned = bits();
  launch();
  const auto launched = bits();
  for (const Memory* output : outputs) output->poison();
  const auto graph = cuda::record(launch, nullptr);
  Figures f;
  compare(f, "outputs after recording", {bits() == poisoned ? 1.0 : INFINITY}, {1}, 1e-9);
  graph->replay();
  compare(f, "the bits of a replay", {bits() == launched ? 1.0 : INFINITY}, {1}, 1e-9);
  fc.values[0] = numbers(131 * 168, 9), fc.values[3] = numbers(131 * 112, 10);
  fc.x.write(fc.values[0]), fc.dy.write(fc.values[3]);
  cuda::start_timer();
  graph->replay();
  f.ms = cuda::stop_timer();
  compare(f, "y of a replay with new inputs", fc.y.read(), fc.expected_y(), kLimit<Bf16>);
  fc.check_gradients(f);
  return f;
}

// AdamW in a graph takes its bias corrections from device memory.
Figures graph_of_adamw() {
  Adamw a;
  const Array<float> scalars(kAdamwNumbers);
  AdamwStep p = a.arguments(1);
  p.numbers = scalars.data();
  const auto graph = cuda::record([&] { cuda::adamw_step(p); }, nullptr);
  Figures f;
  for (int64_t step = 1; step <= 3; ++step) {
    cuda::adamw_numbers({p.lr, p.beta1, p.beta2, p.decay, step, scalars.data()});
    cuda::start_timer();
    graph->replay();
    f.ms = cuda::stop_timer();
    a.expect(step);
  }
  a.check(f);
  return f;
}

}  // namespace

std::vector<Case> op_cases() {
  return {{"elementwise_gelu_f32", gelus<float>}, {"elementwise_gelu_bf16", gelus<Bf16>},
          {"elementwise_adamw", adamw},           {"norms_f32", layer_norms<float>},
          {"norms_bf16", layer_norms<Bf16>},      {"ffma_linear", linears<float>},
          {"ffma_temporal_fc", temporal<float>},  {"mma_linear", linears<Bf16>},
          {"mma_temporal_fc", temporal<Bf16>},    {"fused_mlp", mlps}};
}
std::vector<Case> last_cases() {
  return {
      {"wgmma_linear", linears_by_wgmma}, {"graph_of_launches", graph_of_launches}, {"graph_of_adamw", graph_of_adamw}};
}

}  // namespace smoke
}  // namespace morphmlp
