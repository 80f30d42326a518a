// Holds the gradients of an FC, made in one launch, to plain sums: several parts of the rows, ragged in every
// direction, and without those that nobody asked for.
#include "cuda/gemm/fc_gradients.h"
#include "test/emulator/check.h"

namespace morphmlp::cuda {

namespace {

constexpr int kRows = 300, kN = 130, kK = 117;

template <class T>
struct Fc {
  std::vector<T> grad = numbers<T>(kRows * kN, 5), x = numbers<T>(kRows * kK, 60);
  std::vector<float> w = numbers<float>(kN * kK, 17);
  std::vector<float> dx = std::vector<float>(kRows * kK, NAN), dw = std::vector<float>(kN * kK, NAN),
                     db = std::vector<float>(kN, NAN);

  template <class P>
  void run(bool want_dx, bool want_dw, bool want_db) {
    const FcBackward p{kRows,
                       kN,
                       kK,
                       gather(PlainLayout{}, Dense<float>{w.data(), kK}),
                       want_dx,
                       want_dw ? dw.data() : nullptr,
                       want_db ? db.data() : nullptr};
    launch_fc_gradients<P>(p, gather(PlainLayout{}, Dense<T>{grad.data(), kN}),
                           gather(PlainLayout{}, Dense<T>{x.data(), kK}),
                           scatter(PlainLayout{}, BiasEpilogue<float>{dx.data(), kK, nullptr, false}));
  }

  double grad_at(int row, int i) const { return load(&grad[row * kN + i]); }

  Off off_dx() const {
    return off(
        kRows, kK, [&](int i, int j) { return dx[i * kK + j]; },
        [&](int i, int j) {
          double sum = 0;
          for (int l = 0; l < kN; ++l) sum += grad_at(i, l) * w[l * kK + j];
          return sum;
        });
  }
  Off off_dw() const {
    return off(
        kN, kK, [&](int i, int j) { return dw[i * kK + j]; },
        [&](int i, int j) {
          double sum = 0;
          for (int l = 0; l < kRows; ++l) sum += grad_at(l, i) * load(&x[l * kK + j]);
          return sum;
        });
  }
  Off off_db() const {
    return off(
        kN, 1, [&](int i, int) { return db[i]; },
        [&](int i, int) {
          double sum = 0;
          for (int l = 0; l < kRows; ++l) sum += grad_at(l, i);
          return sum;
        });
  }
};

bool untouched(const std::vector<float>& x) {
  for (const float v : x)
    if (v == v) return false;
  return true;
}

template <class P, class T>
bool all(const char* what) {
  Fc<T> fc;
  fc.template run<P>(true, true, true);
  std::printf("%s\n", what);
  return check("  of x", share(fc.off_dx()), 5e-7) & check("  of the weight", share(fc.off_dw()), 5e-7) &
         check("  of the bias", share(fc.off_db()), 5e-7);
}

template <class T>
bool some() {
  Fc<T> parameters, input, bias;
  parameters.template run<GemmFor<T>>(false, true, false);
  input.template run<GemmFor<T>>(true, false, false);
  bias.template run<GemmFor<T>>(false, false, true);
  const bool alone = untouched(parameters.dx) && untouched(parameters.db) && untouched(input.dw) &&
                     untouched(input.db) && untouched(bias.dx) && untouched(bias.dw);
  const double worst = worse(worse(share(parameters.off_dw()), share(input.off_dx())), share(bias.off_db()));
  return report(alone && worst <= 5e-7, "one gradient alone: off by %.1e", worst);
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  using morphmlp::Bf16;
  bool right = all<GemmFor<float>, float>("an FC's gradients by FFMA");
  right = all<GemmFor<Bf16>, Bf16>("an FC's gradients by mma.sync") && right;
  right = some<float>() && right;
  return right ? 0 : 1;
}
