// The spatial unit of bf16 tokens by patches against the same in double: chunks along both axes, frames of several
// patches, clips of their own weights and scales.
#include "cuda/ops/fused_spatial.h"
#include "test/emulator/close.h"

namespace morphmlp::cuda {

namespace {

constexpr int64_t kC = 112, kChunk = 14, kRun = kC / kChunk;

using Frame = std::vector<double>;

struct Spatial {
  Spatial(const NormSpatialShape& at, bool bias, bool scaled)
      : at(at),
        x(rounded(numbers(at.tokens() * kC, 1, 1))),
        xt(rounded(numbers(at.tokens() * kC, 20, 1, 0.3))),
        y(rounded(numbers(at.tokens() * kC, 1, NAN))),
        gamma(numbers(kC, 2, 0.2, 1)),
        beta(numbers(kC, 3, 0.1)),
        weights(numbers(at.clips * kC * kMaxBranches, 4, 0.5, 0.6)),
        mean(at.tokens()),
        rstd(at.tokens()) {
    for (int i = 0; i < SpatialPatch::kProducts; ++i) {
      fc_weight.push_back(numbers(kC * kC, 5 + i, std::sqrt(3.0 / kC)));
      fc_bias.push_back(bias || i == kMaxBranches ? numbers(kC, 10 + i, 0.5) : std::vector<float>());
    }
    for (int64_t i = 0; i < at.clips && scaled; ++i) scale.push_back(0.5f + static_cast<float>(i));
    for (int64_t i = 0; i < at.tokens(); ++i) take_statistics(i);
  }

  // The largest error, in parts of the largest number that each frame has.
  double run() {
    NormSpatialApplyOf<Bf16> p{};
    p.at = at;
    p.x = x.data(), p.xt = xt.data(), p.y = y.data();
    p.gamma = gamma.data(), p.beta = beta.data(), p.mean = mean.data(), p.rstd = rstd.data();
    p.weights = weights.data(), p.scale = or_null(scale);
    SpatialFcs fcs{};
    for (size_t i = 0; i < fc_weight.size(); ++i)
      fcs.weight[i] = fc_weight[i].data(), fcs.bias[i] = or_null(fc_bias[i]);
    launch_patches(p, fcs);
    double worst = 0;
    for (int64_t frame = 0; frame < at.frames(); ++frame) worst = worse(worst, worst_of(frame));
    return worst;
  }

 private:
  static const float* or_null(const std::vector<float>& x) { return x.empty() ? nullptr : x.data(); }

  void take_statistics(int64_t token) {
    const Bf16* from = &xt[token * kC];
    double m = 0, squares = 0;
    for (int64_t c = 0; c < kC; ++c) m += load(from + c) / static_cast<double>(kC);
    for (int64_t c = 0; c < kC; ++c) squares += std::pow(load(from + c) - m, 2) / static_cast<double>(kC);
    mean[token] = static_cast<float>(m);
    rstd[token] = static_cast<float>(1 / std::sqrt(squares + 1e-5));
  }

  Frame normed(int64_t frame) const {
    Frame out(at.frame_tokens() * kC);
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t token = frame * at.frame_tokens() + i / kC;
      out[i] =
          (load(&xt[frame * at.frame_tokens() * kC + i]) - mean[token]) * rstd[token] * gamma[i % kC] + beta[i % kC];
    }
    return out;
  }

  // Offset in its frame of value k of row r of a branch.
  int64_t place(int branch, int64_t r, int64_t k) const {
    if (branch == 2) return r * kC + k;
    const int64_t n = r / kChunk * kChunk + k / kRun;  // along columns, or rows
    const int64_t token = branch == 0 ? n % at.height * at.width + n / at.height : n;
    return token * kC + r % kChunk * kRun + k % kRun;
  }

  Frame mixed(int64_t frame) const {
    const Frame from = normed(frame);
    Frame mix(from.size());
    const float* w = &weights[frame / at.steps * kC * kMaxBranches];
    for (int branch = 0; branch < kMaxBranches; ++branch)
      for (int64_t r = 0; r < at.frame_tokens(); ++r) {
        std::vector<double> row(kC);
        for (int64_t k = 0; k < kC; ++k) row[k] = from[place(branch, r, k)];
        const std::vector<double> out = fc(row, fc_weight[branch], fc_bias[branch]);
        for (int64_t k = 0; k < kC; ++k) {
          const int64_t to = place(branch, r, k);
          mix[to] += w[to % kC * kMaxBranches + branch] * out[k];
        }
      }
    return mix;
  }

  double worst_of(int64_t frame) const {
    Frame out = mixed(frame);
    const int64_t first = frame * at.frame_tokens() * kC;
    for (int64_t token = 0; token < at.frame_tokens(); ++token) {
      const auto from = out.begin() + token * kC;
      const std::vector<double> projected = fc({from, from + kC}, fc_weight[3], fc_bias[3]);
      for (int64_t c = 0; c < kC; ++c)
        from[c] = load(&x[first + token * kC + c]) + (scale.empty() ? 1 : scale[frame / at.steps]) * projected[c];
    }
    return share_off(&y[first], out);
  }

  NormSpatialShape at;
  std::vector<Bf16> x, xt, y;
  std::vector<float> gamma, beta, weights, mean, rstd, scale;
  std::vector<std::vector<float>> fc_weight, fc_bias;
};

double spatial(const NormSpatialShape& at, bool bias, bool scaled) { return Spatial(at, bias, scaled).run(); }

// Shapes beside those that there is a kernel for.
bool takes_no_other() {
  const NormSpatialShape right{1, 1, 28, 14, 112, 14, false};
  bool none = whole_patches(right);
  for (const NormSpatialShape& at : {NormSpatialShape{1, 1, 28, 14, 112, 14, true},
                                     {1, 1, 27, 14, 112, 14, false},
                                     {1, 1, 28, 15, 112, 14, false},
                                     {1, 1, 28, 14, 56, 14, false},
                                     {1, 1, 28, 14, 112, 28, false}})
    none = none && !whole_patches(at);
  return none;
}

}  // namespace
}  // namespace morphmlp::cuda

int main() {
  using namespace morphmlp::cuda;
  bool right = check("shapes of the spatial kernel", takes_no_other() ? 0 : 1, 0);
  right = check("a spatial unit, two clips of 28 x 14", spatial({2, 1, 28, 14, 112, 14, false}, true, true), 0.012) &&
          right;
  right =
      check("a spatial unit, no bias or scale", spatial({1, 2, 14, 28, 112, 14, false}, false, false), 0.012) && right;
  return right ? 0 : 1;
}
