// Holds the emulated tensor-core instructions to the fragment layouts of the PTX ISA ("Matrix fragments for
// mma.m16n8k16 with floating point type", "ldmatrix"), written here a second time, and to a plain product; then the
// product kernel of bf16 by rows and by columns, ragged in every direction.
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

__device__ uint32_t word(const Bf16* low, const Bf16* high) {
  return low->bits | static_cast<uint32_t>(high->bits) << 16;
}

// d = a b + d by one mma, its fragments filled by the PTX ISA's formulas: a[16][16], b[16][8], d[16][8].
struct Multiply : OneWarp {
  const Bf16 *a, *b;
  float* d;

  __device__ void operator()(None&) const {
    uint32_t left[4], right[2];
    for (int i = 0; i < 8; i += 2) {
      const int row = group() + (i % 4 < 2 ? 0 : 8), column = member() * 2 + (i < 4 ? 0 : 8);
      left[i / 2] = word(a + row * 16 + column, a + row * 16 + column + 1);
    }
    for (int i = 0; i < 4; i += 2) {
      const int row = member() * 2 + (i < 2 ? 0 : 8);
      right[i / 2] = word(b + row * 8 + group(), b + (row + 1) * 8 + group());
    }
    float sum[4] = {1, 1, 1, 1};
    mma_m16n8k16(sum, left, right[0], right[1]);
    for (int i = 0; i < 4; ++i) d[(group() + (i < 2 ? 0 : 8)) * 8 + member() * 2 + i % 2] = sum[i];
  }
};

// wrong += the words of ldmatrix, or with kTransposed of ldmatrix_trans, that are not what the PTX ISA says: of matrix
// i of four below each other, x[32][8].
template <bool kTransposed>
struct Load : OneWarp {
  const Bf16* x;
  int* wrong;  // one a lane

  __device__ void operator()(None&) const {
    uint32_t got[4];
    const Bf16* row = x + threadIdx.x * 8;
    if (kTransposed)
      ldmatrix_trans(got, row);
    else
      ldmatrix(got, row);
    int count = 0;
    for (int i = 0; i < 4; ++i) {
      const int r = kTransposed ? member() * 2 : group(), c = kTransposed ? group() : member() * 2;
      const Bf16* first = x + (8 * i + r) * 8 + c;
      count += got[i] != word(first, first + (kTransposed ? 8 : 1));
    }
    wrong[threadIdx.x] = count;
  }
};

bool fragments() {
  const std::vector<Bf16> a = numbers<Bf16>(256, 3), b = numbers<Bf16>(128, 40);
  std::vector<float> d(128, NAN);
  launch({1}, Multiply{{}, a.data(), b.data(), d.data()});
  const Factor<Bf16> left{a, 16, 16, false}, right{b, 8, 16, true};
  const auto found = [&](int m, int n) { return d[m * 8 + n]; };
  const double worst = off(16, 8, found, [&](int m, int n) { return 1 + product_at(left, right, m, n); }).worst;
  std::vector<int> wrong(64);
  launch({1}, Load<false>{{}, a.data(), wrong.data()});
  launch({1}, Load<true>{{}, a.data(), wrong.data() + 32});
  int count = 0;
  for (int w : wrong) count += w;
  return check("mma.sync", worst, 1e-5) && check("ldmatrix", count, 0);
}

// a[m, k] b[n, k] in parts of k, each operand by rows and by columns.
template <bool kTransposeA, bool kTransposeB>
bool product(const char* what, int m, int n, int k, int parts) {
  const std::vector<Bf16> a = numbers<Bf16>(m * k, 5), b = numbers<Bf16>(n * k, 60);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  multiply<Bf16>(operand<kTransposeA>(a.data(), m, k), operand<kTransposeB>(b.data(), n, k), k,
                 StorePartial{y.data(), n, static_cast<int64_t>(m) * n}, parts);
  const double worst = off(Factor<Bf16>{a, m, k, kTransposeA}, {b, n, k, kTransposeB}, y).worst / std::sqrt(k);
  return check(what, worst, 1e-5);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = fragments();
  right = product<false, false>("a product, rows by rows", 131, 117, 70, 2) && right;
  right = product<false, true>("a product, rows by columns", 3, 225, 33, 1) && right;
  right = product<true, true>("a product, columns by columns", 129, 8, 170, 3) && right;
  right = product<true, false>("a product, columns by rows", 130, 113, 31, 1) && right;
  right = product<false, true>("a product of copied octets", 130, 120, 360, 2) && right;
  right = product<true, true>("another, both by columns", 136, 8, 200, 1) && right;
  return right ? 0 : 1;
}
