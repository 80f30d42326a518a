// The product by wgmma against a plain one, ragged in every direction, its operands brought by TMA, by copies of
// threads, and computed by threads.
#include "cuda/gemm/hopper_gemm.h"
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

// Rows in another order, every fifth one zeros.
const Bf16* row_of(const Bf16* x, int rows, int columns, int r) {
  return r % 5 == 3 ? nullptr : x + r * 7 % rows * columns;
}

// Their numbers halved as they are read.
struct Computed {
  const Bf16* x;
  int rows, columns;

  using Row = const Bf16*;
  Row row(int r) const { return row_of(x, rows, columns, r); }
  bool runs_of(int) const { return true; }
  template <int N>
  Numbers<N> read(Row row, int c) const {
    Numbers<N> value = {};
    for (int i = 0; row && i < N; ++i) value.at[i] = load(row + c + i) / 2;
    return value;
  }
};

struct Copied : Computed {
  using Stored = Bf16;
  const Bf16* address(Row row, int c) const { return row ? row + c : nullptr; }
};

enum class By { tma, copies, computing };

// An operand of numbers that bf16 has, `size` times k, of tiles kN wide; turned: by columns.
template <By kBy, bool kTurned, int kWidth, int kN>
struct Side {
  using Matrix = std::conditional_t<kBy == By::copies, Copied, Computed>;
  using Operand = std::conditional_t<kTurned, ByColumn<Matrix>, ByRow<Matrix>>;
  using Type =
      std::conditional_t<kBy == By::tma, ByTma<kTurned, kWidth>, ByThreads<Operand, kWidth, HopperTile::loaders(kN)>>;

  Side(int size, int k, int seed) : size(size), rows(kTurned ? k : size), columns(kTurned ? size : k) {
    for (int i = 0; i < size * k; ++i) store(&x.emplace_back(), static_cast<float>((i * 37 + seed) % 101 - 50) / 64.0f);
  }
  Type given() const {
    if constexpr (kBy == By::tma)
      return {tensor_map(x.data(), rows, columns, columns, kTurned ? 64 : kWidth)};
    else
      return {Operand{matrix(), size, 8}};
  }
  double at(int i, int k) const {
    const int r = kTurned ? k : i, c = kTurned ? i : k;
    const Bf16* row = kBy == By::tma ? &x[static_cast<size_t>(r * columns)] : row_of(x.data(), rows, columns, r);
    return row ? load(row + c) / (kBy == By::computing ? 2.0 : 1.0) : 0.0;
  }

  int size, rows, columns;
  std::vector<Bf16> x;

 private:
  Matrix matrix() const {
    Matrix all;
    all.x = x.data(), all.rows = rows, all.columns = columns;
    return all;
  }
};

template <class A, class B>
double worst_of(const A& a, const B& b, int k, const std::vector<float>& y) {
  const auto found = [&](int i, int j) { return sum_of_parts(y, a.size, b.size, i, j); };
  return off(a.size, b.size, found,
             [&](int i, int j) {
               double sum = 0;
               for (int l = 0; l < k; ++l) sum += a.at(i, l) * b.at(j, l);
               return sum;
             })
             .worst /
         std::sqrt(k);
}

template <By kByA, bool kTurnA, By kByB, bool kTurnB, int kN>
bool product(int m, int n, int k, int parts, int blocks) {
  const Side<kByA, kTurnA, HopperTile::kM, kN> a(m, k, 5);
  const Side<kByB, kTurnB, kN, kN> b(n, k, 60);
  std::vector<float> y(static_cast<size_t>(parts * m * n), NAN);
  const int part = static_cast<int>(blocks_of(blocks_of(k, parts), 64) * 64);
  const auto tiles_n = blocks_of(n, kN), tiles = blocks_of(m, 128) * tiles_n;
  const PutPart out{y.data(), n, int64_t{m} * n};
  using Kernel = HopperGemm<decltype(a.given()), decltype(b.given()), kN, PutPart>;
  launch({blocks, 1, parts},
         Kernel{a.given(), b.given(), out, m, n, k, part, static_cast<int>(tiles), Divisor(tiles_n)});
  const double worst = worst_of(a, b, k, y);
  const char* const names[] = {"TMA", "copies", "computing"};
  return report(worst <= 1e-5, "wgmma %d x %d x %d, by %s and %s, turned %d %d, width %d: off by %.1e", m, n, k,
                names[static_cast<int>(kByA)], names[static_cast<int>(kByB)], kTurnA, kTurnB, kN, worst);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  constexpr By tma = By::tma, copies = By::copies, computing = By::computing;
  bool right = product<tma, false, tma, false, 112>(131, 117, 72, 1, 2);
  right = product<tma, false, tma, true, 168>(200, 336, 136, 1, 1) && right;
  right = product<tma, true, tma, true, 224>(136, 120, 456, 3, 2) && right;
  right = product<tma, true, tma, false, 112>(264, 120, 512, 1, 3) && right;
  right = product<computing, false, tma, false, 112>(301, 117, 72, 1, 2) && right;
  right = product<computing, false, tma, true, 224>(131, 304, 1000, 1, 1) && right;
  right = product<copies, false, tma, true, 112>(387, 136, 456, 1, 2) && right;
  right = product<copies, false, tma, false, 224>(131, 117, 40, 1, 1) && right;
  right = product<copies, false, tma, true, 224>(150, 232, 840, 1, 1) && right;
  right = product<copies, false, computing, false, 112>(131, 117, 328, 1, 1) && right;
  right = product<tma, true, computing, true, 112>(136, 120, 459, 3, 2) && right;
  right = product<computing, true, tma, true, 112>(264, 120, 250, 1, 2) && right;
  right = product<copies, true, copies, true, 112>(136, 232, 600, 2, 3) && right;
  right = product<copies, true, computing, true, 112>(264, 120, 779, 1, 2) && right;
  right = product<computing, true, computing, true, 112>(136, 232, 459, 3, 2) && right;
  return right ? 0 : 1;
}
