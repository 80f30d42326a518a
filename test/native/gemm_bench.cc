// Speed of the GEMM core at the shapes of MorphMLP, relative to the FMA peak measured in the same rounds.
#include "gemm.h"

#include <time.h>

#include <algorithm>
#include <thread>

#include "check.h"

using std::int64_t;
namespace isa = morphmlp::MORPHMLP_ISA;

namespace {

// CPU time of this thread, which is independent of the load of the machine.
double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Shape {
  int64_t tokens, n, k, block;
};

// Work of one thread: its own rows and shared weights.
struct Forward {
  Shape s;
  std::vector<float> x, scratch, y;
  const std::vector<float>& packed;

  Forward(Shape shape, const std::vector<float>& w)
      : s(shape),
        x(check::Random(1).fill(s.tokens * s.k)),
        scratch(static_cast<std::size_t>(s.block * s.k)),
        y(static_cast<std::size_t>(s.tokens * s.n)),
        packed(w) {}
  // Like a kernel: copies a block of rows to scratch and multiplies it into the output.
  void run() {
    for (int64_t r = 0; r < s.tokens; r += s.block) {
      const int64_t rows = std::min(s.block, s.tokens - r);
      std::memcpy(scratch.data(), x.data() + r * s.k, static_cast<std::size_t>(rows * s.k) * sizeof(float));
      isa::gemm_block(rows, s.n, s.k, scratch.data(), s.k, packed.data(), y.data() + r * s.n, s.n, false);
    }
  }
};

struct WeightGrad {
  Shape s;
  std::vector<float> x, dy, dw;

  explicit WeightGrad(Shape shape)
      : s(shape),
        x(check::Random(1).fill(s.tokens * s.k)),
        dy(check::Random(2).fill(s.tokens * s.n)),
        dw(static_cast<std::size_t>(s.n * s.k)) {}
  void run() {
    for (int64_t r = 0; r < s.tokens; r += s.block) {
      const int64_t rows = std::min(s.block, s.tokens - r);
      isa::gemm_tn_block(rows, s.n, s.k, dy.data() + r * s.n, s.n, x.data() + r * s.k, s.k, dw.data(), s.k, true);
    }
  }
};

// Total GFLOP/s of all threads, measured for about `seconds`.
template <class Work>
double rate(std::vector<Work>& work, double seconds) {
  const double flops = 2.0 * static_cast<double>(work[0].s.tokens * work[0].s.n * work[0].s.k);
  std::vector<double> rates(work.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < work.size(); ++i) {
    threads.emplace_back([&, i] {
      const double start = thread_seconds();
      int64_t runs = 0;
      double elapsed = 0.0;
      while (elapsed < seconds) {
        work[i].run();
        ++runs;
        elapsed = thread_seconds() - start;
      }
      rates[i] = flops * static_cast<double>(runs) / elapsed * 1e-9;
    });
  }
  for (auto& t : threads) t.join();
  double total = 0.0;
  for (double r : rates) total += r;
  return total;
}

double peak(std::size_t count, double seconds) {
  std::vector<double> rates(count);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { rates[i] = isa::fma_peak(seconds); });
  for (auto& t : threads) t.join();
  double total = 0.0;
  for (double r : rates) total += r;
  return total;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

constexpr int kRounds = 7;

// Alternates peak and work, so that changes of the clock rate affect both.
template <class Work>
void report(const char* name, Shape s, std::vector<Work>& work, double seconds) {
  std::vector<double> rates, shares;
  rate(work, seconds / 20);
  for (int round = 0; round < kRounds; ++round) {
    const double limit = peak(work.size(), seconds / kRounds / 4);
    rates.push_back(rate(work, seconds / kRounds));
    shares.push_back(rates.back() / limit);
  }
  std::printf(
      "%-8s %-8s %zu thread%s  rows %5lld  n %4lld  k %4lld  block %3lld  %7.1f GFLOP/s  %5.1f%% of peak (best "
      "%5.1f%%)\n",
      isa::kIsaName, name, work.size(), work.size() > 1 ? "s" : " ", (long long)s.tokens, (long long)s.n,
      (long long)s.k, (long long)s.block, median(rates), 100.0 * median(shares),
      100.0 * *std::max_element(shares.begin(), shares.end()));
  std::fflush(stdout);
}

void bench_shape(Shape s, double seconds) {
  std::vector<float> w = check::Random(3).fill(s.n * s.k);
  std::vector<float> packed(static_cast<std::size_t>(isa::packed_weight_size(s.n, s.k)));
  isa::pack_weight(w.data(), s.n, s.k, s.k, 1, packed.data());
  for (std::size_t threads = 1; threads <= 2; ++threads) {
    std::vector<Forward> forward;
    std::vector<WeightGrad> grad;
    for (std::size_t i = 0; i < threads; ++i) {
      forward.emplace_back(s, packed);
      grad.emplace_back(Shape{s.tokens, s.n, s.k, 196});
    }
    report("gemm", s, forward, seconds);
    report("gemm_tn", grad[0].s, grad, seconds);
  }
}

}  // namespace

int gemm_bench(double seconds) {
  for (int64_t c : {28, 56, 84, 98, 112, 168, 196, 224, 336, 392, 588, 784}) {
    bench_shape({1568, c, c, 112}, seconds);
  }
  for (int64_t c : {84, 112, 224, 392, 588, 784}) {
    bench_shape({784, 3 * c, c, 112}, seconds);
    bench_shape({784, c, 3 * c, c > 400 ? 56 : 112}, seconds);
  }
  return 0;
}
