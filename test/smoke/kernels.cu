// Cases of single kernels: products by TMA and wgmma at each width, with operands by rows and by columns; and the
// planted faults.
#include "cuda/gemm/gemm.h"
#include "test/smoke/arrays.h"
#include "test/smoke/ops.h"

namespace morphmlp {
namespace cuda {

// The program has no table of kernels.
extern const Kernels kernels;
const Kernels kernels = {};

}  // namespace cuda

namespace smoke {
namespace {

using cuda::launch;

// An operand [size, k] by rows or, transposed, [k, size] by columns.
template <bool kTransposed>
auto operand(const Array<Bf16>& x, int64_t size, int64_t k) {
  const int columns = static_cast<int>(kTransposed ? size : k);
  const auto matrix = cuda::gather(cuda::PlainLayout{}, cuda::Dense<Bf16>{x.data(), columns});
  if constexpr (kTransposed)
    return cuda::by_column(matrix, size);
  else
    return cuda::by_row(matrix, size);
}

// a[m, k] b[n, k] in two parts of k, by tiles of kWidth columns; the last tile and the last step are not full.
template <bool kTransposeA, bool kTransposeB, int kWidth>
Figures wgmma_product() {
  constexpr int64_t m = 200, n = 2 * kWidth - 40, k = 328, parts = 2;
  const std::vector<double> a = numbers(m * k, 1), b = numbers(n * k, 2);
  const Array<Bf16> left(a), right(b);
  Array<float> y(parts * m * n);
  Figures f;
  launch_twice(f, {&y}, [&] {
    cuda::launch_hopper<kWidth>(operand<kTransposeA>(left, m, k), operand<kTransposeB>(right, n, k), k,
                                cuda::StorePartial{y.data(), static_cast<int>(n), m * n}, parts);
  });
  const std::vector<double> found = y.read();
  std::vector<double> sums, expected;
  for (int64_t i = 0; i < m * n; ++i) {
    double sum = 0;
    for (int64_t l = 0; l < k; ++l)
      sum += a[kTransposeA ? l * m + i / n : i / n * k + l] * b[kTransposeB ? l * n + i % n : i % n * k + l];
    expected.push_back(sum);
    sums.push_back(found[i] + found[m * n + i]);
  }
  compare(f, "y", sums, expected, kLimit<float>);
  return f;
}

struct SpinFor : cuda::Unshared {
  const volatile int* flag;
  int* to;
  __device__ void operator()(cuda::None&) const {
    while (*flag == 0) {
    }
    *to = *flag;
  }
};

Figures planted_hang() {
  const Array<float> flag(std::vector<double>{0}), to(1);
  launch({1}, SpinFor{{}, reinterpret_cast<const int*>(flag.data()), reinterpret_cast<int*>(to.data())});
  to.read();
  return {};
}

// Waits for an mbarrier at which nothing arrives: the debug build must trap.
struct WaitForNothing {
  static constexpr int kThreads = 32;
  struct Shared {
    cuda::Mbarrier barrier;
  };
  float* to;
  __device__ void operator()(Shared& s) const {
#if defined(MORPHMLP_CUDA_EMULATED) || (defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900)
    if (threadIdx.x == 0) cuda::init(s.barrier, 1);
    __syncthreads();
    cuda::wait(s.barrier, 0);
#endif
    *to = 1;
  }
};

Figures planted_barrier() {
  const Array<float> to(1);
  launch({1}, WaitForNothing{to.data()});
  to.read();
  return {};
}

struct Store : cuda::Unshared {
  float* to;
  float value;
  __device__ void operator()(cuda::None&) const {
    if (threadIdx.x == 0) *to = value;
  }
};

Figures stored(float value) {
  Figures f;
  Array<float> to(1);
  launch_twice(f, {&to}, [&] { launch({1}, Store{{}, to.data(), value}); });
  compare(f, "a planted value", to.read(), {1}, 1e-6);
  return f;
}

Figures planted_wrong() { return stored(1.5f); }
Figures planted_nan() { return stored(NAN); }

// A second launch that gives other bits.
Figures planted_unsteady() {
  Figures f;
  const Array<float> to(1);
  float value = 1;
  Array<float> y(1);
  launch_twice(f, {&y}, [&] { launch({1}, Store{{}, y.data(), value += 1e-7f}); });
  compare(f, "a planted value", y.read(), {1}, 1e-6);
  return f;
}

Figures planted_crash() { std::abort(); }

}  // namespace

std::vector<Case> wgmma_cases() {
  return {{"wgmma_112", wgmma_product<false, false, 112>},
          {"wgmma_168", wgmma_product<false, false, 168>},
          {"wgmma_224", wgmma_product<false, false, 224>},
          {"wgmma_transposed_a_112", wgmma_product<true, false, 112>},
          {"wgmma_transposed_b_64", wgmma_product<false, true, 64>},
          {"wgmma_transposed_b_112", wgmma_product<false, true, 112>},
          {"wgmma_transposed_b_168", wgmma_product<false, true, 168>},
          {"wgmma_transposed_b_224", wgmma_product<false, true, 224>},
          {"wgmma_transposed_both_224", wgmma_product<true, true, 224>}};
}

std::vector<Case> planted_cases() {
  return {{"planted_wrong", planted_wrong},       {"planted_nan", planted_nan},
          {"planted_unsteady", planted_unsteady}, {"planted_hang", planted_hang},
          {"planted_barrier", planted_barrier},   {"planted_crash", planted_crash}};
}

std::vector<Case> cases() {
  std::vector<Case> all = op_cases();
  for (const auto& list : {wgmma_cases(), last_cases()}) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace smoke
}  // namespace morphmlp
