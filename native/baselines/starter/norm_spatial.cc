// y = x + scale * proj(sum over i of w_i * branch_i), branch_i = FC_i of LN(xt), w = softmax over i of
// fc2(gelu(fc1(mean over a clip's tokens of the branches' sum))). The branches are the morph FCs by height and width
// and the channel FC; or, with `strided`, the strided morph FC and the channel FC. All branches are stored; the mean of
// a branch is linear in LN(xt), so that the weights could be computed first and the branches never stored.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

struct Sizes {
  int64_t clips, steps, height, width, cols, chunk, branches, hidden;
  bool strided;
  MORPHMLP_DEVICE int64_t pixels() const { return height * width; }
  MORPHMLP_DEVICE int64_t clip_rows() const { return steps * pixels(); }
  MORPHMLP_DEVICE int64_t rows() const { return clips * clip_rows(); }
  MORPHMLP_DEVICE int64_t chunks() const { return (pixels() + chunk - 1) / chunk; }
  MORPHMLP_DEVICE int64_t run() const { return cols / chunk; }  // S
  MORPHMLP_DEVICE int64_t fc_rows() const { return clips * steps * chunks() * chunk; }
  // Index among the tokens of element 0 of token l of FC row r; -1 for padding.
  MORPHMLP_DEVICE int64_t offset(int64_t r, int64_t l, bool vertical) const {
    const int64_t g = r % chunk, j = r / chunk % chunks(), frame = r / chunk / chunks();
    const int64_t n = strided ? l * chunks() + j : j * chunk + l;
    if (n >= pixels()) return -1;
    const int64_t pixel = vertical ? n % height * width + n / height : n;
    return (frame * pixels() + pixel) * cols + g * run();
  }
};

static Sizes sizes_of(const morphmlp_call* call) {
  const int64_t* x = morphmlp_input(call, "x")->shape;
  const bool strided = morphmlp_attribute_of(call, "strided") != 0;
  const auto chunk = static_cast<int64_t>(morphmlp_attribute_of(call, "chunk"));
  return {x[0], x[1], x[2], x[3], x[4], chunk, strided ? 2 : 3, morphmlp_input(call, "fc1_bias")->shape[0], strided};
}

struct Memory {
  float *normed, *mean, *rstd, *gathered, *fc, *branch[3], *mix, *out, *dnormed;
  float *pooled, *z, *act, *scores, *weights, *dweights, *dact, *dpooled;
  size_t bytes;
};

static Memory memory_of(const Sizes& at, void* workspace, bool backward) {
  morphmlp_arena arena = {static_cast<float*>(workspace), 0};
  const int64_t n = at.rows() * at.cols, fc = at.fc_rows() * at.cols, all = at.clips * at.cols * at.branches;
  Memory m;
  m.normed = arena.take(n);
  m.mean = arena.take(at.rows());
  m.rstd = arena.take(at.rows());
  m.gathered = arena.take(fc);
  m.fc = arena.take(fc);
  for (int64_t i = 0; i < 3; ++i) m.branch[i] = arena.take(i < at.branches ? n : 0);
  m.mix = arena.take(n);
  m.out = arena.take(n);
  m.dnormed = arena.take(backward ? n : 0);
  m.pooled = arena.take(at.clips * at.cols);
  m.z = arena.take(at.clips * at.hidden);
  m.act = arena.take(at.clips * at.hidden);
  m.scores = arena.take(all);
  m.weights = arena.take(all);
  m.dweights = arena.take(all);
  m.dact = arena.take(at.clips * at.hidden);
  m.dpooled = arena.take(at.clips * at.cols);
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static size_t workspace(const morphmlp_call* call, int32_t backward) {
  return memory_of(sizes_of(call), nullptr, backward != 0).bytes;
}

struct Gather {
  Sizes at;
  bool vertical;
  const float* tokens;
  float* rows;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t l = 0; l < at.chunk; ++l) {
      const int64_t from = at.offset(r, l, vertical);
      for (int64_t s = 0; s < at.run(); ++s) rows[r * at.cols + l * at.run() + s] = from < 0 ? 0 : tokens[from + s];
    }
  }
};

// tokens = rows + bias at their places, or tokens += rows
struct Scatter {
  Sizes at;
  bool vertical, add;
  const float *rows, *bias;
  float* tokens;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    for (int64_t l = 0; l < at.chunk; ++l) {
      const int64_t to = at.offset(r, l, vertical);
      for (int64_t s = 0; to >= 0 && s < at.run(); ++s) {
        const int64_t k = l * at.run() + s;
        const float value = rows[r * at.cols + k] + (bias ? bias[k] : 0);
        tokens[to + s] = add ? tokens[to + s] + value : value;
      }
    }
  }
};

struct Branches {
  const float* of[3];
};

// For a block of 16 columns of a clip: their means, summed over the branches.
struct Pool {
  Sizes at;
  Branches branch;
  float* pooled;
  MORPHMLP_DEVICE void operator()(int64_t block) const {
    constexpr int64_t kColumns = 16;
    const int64_t blocks = (at.cols + kColumns - 1) / kColumns, clip = block / blocks,
                  first = block % blocks * kColumns;
    const int64_t columns = at.cols - first < kColumns ? at.cols - first : kColumns;
    double sum[kColumns] = {};
    for (int64_t i = 0; i < at.branches; ++i)
      for (int64_t r = clip * at.clip_rows(); r < (clip + 1) * at.clip_rows(); ++r)
        for (int64_t j = 0; j < columns; ++j) sum[j] += branch.of[i][r * at.cols + first + j];
    for (int64_t j = 0; j < columns; ++j)
      pooled[clip * at.cols + first + j] = static_cast<float>(sum[j] / static_cast<double>(at.clip_rows()));
  }
};

// weights = softmax(scores) over the branches, of one channel of a clip
struct Softmax {
  int64_t n;
  const float* scores;
  float* weights;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    float most = scores[i * n], sum = 0;
    for (int64_t b = 1; b < n; ++b) most = scores[i * n + b] > most ? scores[i * n + b] : most;
    for (int64_t b = 0; b < n; ++b) sum += weights[i * n + b] = expf(scores[i * n + b] - most);
    for (int64_t b = 0; b < n; ++b) weights[i * n + b] /= sum;
  }
};

struct SoftmaxBackward {
  int64_t n;
  const float* weights;
  float* d;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    float dot = 0;
    for (int64_t b = 0; b < n; ++b) dot += weights[i * n + b] * d[i * n + b];
    for (int64_t b = 0; b < n; ++b) d[i * n + b] = weights[i * n + b] * (d[i * n + b] - dot);
  }
};

struct Mix {
  Sizes at;
  Branches branch;
  const float* weights;
  float* mix;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float* w = weights + r / at.clip_rows() * at.cols * at.branches;
    for (int64_t j = 0; j < at.cols; ++j) {
      float sum = 0;
      for (int64_t i = 0; i < at.branches; ++i) sum += w[j * at.branches + i] * branch.of[i][r * at.cols + j];
      mix[r * at.cols + j] = sum;
    }
  }
};

// y = x + scale (out + bias)
struct Residual {
  Sizes at;
  morphmlp_values x, y;
  const float *scale, *out, *bias;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float s = scale ? scale[r / at.clip_rows()] : 1;
    for (int64_t j = 0; j < at.cols; ++j)
      y.set(r * at.cols + j, x.get(r * at.cols + j) + s * (out[r * at.cols + j] + bias[j]));
  }
};

struct Scaled {
  Sizes at;
  morphmlp_values dy;
  const float* scale;
  float* dout;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const float s = scale ? scale[r / at.clip_rows()] : 1;
    for (int64_t j = 0; j < at.cols; ++j) dout[r * at.cols + j] = s * dy.get(r * at.cols + j);
  }
};

// For a channel of a clip: the gradient of each branch's weight.
struct WeightGradient {
  Sizes at;
  Branches branch;
  const float* dmix;
  float* dweights;
  MORPHMLP_DEVICE void operator()(int64_t i) const {
    const int64_t clip = i / at.cols, j = i % at.cols;
    for (int64_t b = 0; b < at.branches; ++b) {
      double sum = 0;
      for (int64_t r = clip * at.clip_rows(); r < (clip + 1) * at.clip_rows(); ++r)
        sum += dmix[r * at.cols + j] * branch.of[b][r * at.cols + j];
      dweights[i * at.branches + b] = static_cast<float>(sum);
    }
  }
};

// The gradient of branch b: w_b dmix + dpooled / tokens
struct BranchGradient {
  Sizes at;
  int64_t b;
  const float *weights, *dmix, *dpooled;
  float* dbranch;
  MORPHMLP_DEVICE void operator()(int64_t r) const {
    const int64_t clip = r / at.clip_rows();
    const float *w = weights + clip * at.cols * at.branches, share = 1 / static_cast<float>(at.clip_rows());
    for (int64_t j = 0; j < at.cols; ++j)
      dbranch[r * at.cols + j] = w[j * at.branches + b] * dmix[r * at.cols + j] + dpooled[clip * at.cols + j] * share;
  }
};

static const char* const kWeights[] = {"weight0", "weight1", "weight2"};
static const char* const kBiases[] = {"bias0", "bias1", "bias2"};
static const char* const kWeightGradients[] = {"dweight0", "dweight1", "dweight2"};
static const char* const kBiasGradients[] = {"dbias0", "dbias1", "dbias2"};

// The last branch is the channel FC; of three, the first is by height.
static bool is_morph(const Sizes& at, int64_t branch) { return branch + 1 < at.branches; }
static bool is_vertical(const Sizes& at, int64_t branch) { return at.branches == 3 && branch == 0; }

// branch = FC of LN(xt)
static int32_t branch_forward(const morphmlp_call* call, const Sizes& at, const Memory& m, int64_t i) {
  const float *weight = morphmlp_in(call, kWeights[i]), *bias = morphmlp_in(call, kBiases[i]);
  if (!is_morph(at, i)) {
    const int32_t status = morphmlp_gemm(call, false, true, at.rows(), at.cols, at.cols, m.normed, weight, m.branch[i]);
    return status == MORPHMLP_OK && bias ? morphmlp_rows(call, at.rows(), morphmlp_add_bias{at.cols, bias, m.branch[i]})
                                         : status;
  }
  const bool vertical = is_vertical(at, i);
  return morphmlp_first({morphmlp_rows(call, at.fc_rows(), Gather{at, vertical, m.normed, m.gathered}),
                         morphmlp_gemm(call, false, true, at.fc_rows(), at.cols, at.cols, m.gathered, weight, m.fc),
                         morphmlp_rows(call, at.fc_rows(), Scatter{at, vertical, false, m.fc, bias, m.branch[i]})});
}

// dweight, dbias, and its part of dnormed, from the gradient of the branch, which m.branch[i] holds.
static int32_t branch_backward(const morphmlp_call* call, const Sizes& at, const Memory& m, int64_t i) {
  const float* weight = morphmlp_in(call, kWeights[i]);
  float *dweight = morphmlp_out(call, kWeightGradients[i]), *dbias = morphmlp_out(call, kBiasGradients[i]);
  const bool morph = is_morph(at, i), vertical = is_vertical(at, i);
  const int64_t rows = morph ? at.fc_rows() : at.rows();
  const float *x = morph ? m.gathered : m.normed, *dy = morph ? m.fc : m.branch[i];
  float* dx = morph ? m.gathered : m.out;
  int32_t status = MORPHMLP_OK;
  if (morph)
    status = morphmlp_first({morphmlp_rows(call, rows, Gather{at, vertical, m.normed, m.gathered}),
                             morphmlp_rows(call, rows, Gather{at, vertical, m.branch[i], m.fc})});
  if (status == MORPHMLP_OK && dweight)
    status = morphmlp_gemm(call, true, false, at.cols, at.cols, rows, dy, x, dweight);
  if (status == MORPHMLP_OK && dbias) status = morphmlp_sum_rows(call, rows, at.cols, dy, dbias);
  if (status == MORPHMLP_OK) status = morphmlp_gemm(call, false, false, rows, at.cols, at.cols, dy, weight, dx);
  if (status != MORPHMLP_OK) return status;
  if (morph) return morphmlp_rows(call, rows, Scatter{at, vertical, true, dx, nullptr, m.dnormed});
  return morphmlp_each(call, at.rows() * at.cols, morphmlp_narrow{dx, nullptr, 1, {m.dnormed, MORPHMLP_F32}});
}

static Branches branches_of(const Memory& m) { return {{m.branch[0], m.branch[1], m.branch[2]}}; }

// LN(xt), the branches, their weights and their mix.
static int32_t mixed(const morphmlp_call* call, const Sizes& at, const Memory& m) {
  const auto in = [call](const char* name) { return morphmlp_in(call, name); };
  const auto eps = static_cast<float>(morphmlp_attribute_of(call, "eps"));
  const morphmlp_values xt = morphmlp_values_of(morphmlp_input(call, "xt"));
  const morphmlp_norm_row norm = {xt, at.cols, eps, in("gamma"), in("beta"), m.normed, m.mean, m.rstd};
  int32_t status = morphmlp_rows(call, at.rows(), norm);
  for (int64_t i = 0; i < at.branches && status == MORPHMLP_OK; ++i) status = branch_forward(call, at, m, i);
  const int64_t n = at.cols * at.branches;
  return morphmlp_first({status,
                         morphmlp_rows(call, at.clips * ((at.cols + 15) / 16), Pool{at, branches_of(m), m.pooled}),
                         morphmlp_gemm(call, false, true, at.clips, at.hidden, at.cols, m.pooled, in("fc1"), m.z),
                         morphmlp_rows(call, at.clips, morphmlp_gelu_row{at.hidden, in("fc1_bias"), m.z, m.act}),
                         morphmlp_gemm(call, false, true, at.clips, n, at.hidden, m.act, in("fc2"), m.scores),
                         morphmlp_rows(call, at.clips, morphmlp_add_bias{n, in("fc2_bias"), m.scores}),
                         morphmlp_each(call, at.clips * at.cols, Softmax{at.branches, m.scores, m.weights}),
                         morphmlp_rows(call, at.rows(), Mix{at, branches_of(m), m.weights, m.mix})});
}

static int32_t forward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(at, call->workspace, false);
  const morphmlp_values x = morphmlp_values_of(morphmlp_input(call, "x")),
                        y = morphmlp_values_of(morphmlp_output(call, "y"));
  const Residual residual = {at, x, y, morphmlp_in(call, "scale"), m.out, morphmlp_in(call, "proj_bias")};
  return morphmlp_first(
      {mixed(call, at, m),
       morphmlp_gemm(call, false, true, at.rows(), at.cols, at.cols, m.mix, morphmlp_in(call, "proj"), m.out),
       morphmlp_rows(call, at.rows(), residual)});
}

static int32_t backward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(at, call->workspace, true);
  const auto in = [call](const char* name) { return morphmlp_in(call, name); };
  const auto out = [call](const char* name) { return morphmlp_out(call, name); };
  const auto gemm = [call](bool ta, int64_t rows, int64_t n, int64_t k, const float* a, const float* b, float* c) {
    return c ? morphmlp_gemm(call, ta, false, rows, n, k, a, b, c) : static_cast<int32_t>(MORPHMLP_OK);
  };
  const auto sums = [call](int64_t rows, int64_t n, const float* values, float* to) {
    return to ? morphmlp_sum_rows(call, rows, n, values, to) : static_cast<int32_t>(MORPHMLP_OK);
  };
  const morphmlp_values xt = morphmlp_values_of(morphmlp_input(call, "xt")),
                        dy = morphmlp_values_of(morphmlp_input(call, "dy"));
  const morphmlp_values dx = morphmlp_values_of(morphmlp_output(call, "dx")),
                        dxt = morphmlp_values_of(morphmlp_output(call, "dxt"));
  const int64_t n = at.cols * at.branches, elements = at.rows() * at.cols;
  float *dout = m.out, *dmix = m.dnormed;
  int32_t status =
      morphmlp_first({mixed(call, at, m), morphmlp_rows(call, at.rows(), Scaled{at, dy, in("scale"), dout}),
                      gemm(true, at.cols, at.cols, at.rows(), dout, m.mix, out("dproj")),
                      sums(at.rows(), at.cols, dout, out("dproj_bias")),
                      gemm(false, at.rows(), at.cols, at.cols, dout, in("proj"), dmix),
                      morphmlp_each(call, at.clips * at.cols, WeightGradient{at, branches_of(m), dmix, m.dweights}),
                      morphmlp_each(call, at.clips * at.cols, SoftmaxBackward{at.branches, m.weights, m.dweights}),
                      gemm(true, n, at.hidden, at.clips, m.dweights, m.act, out("dfc2")),
                      sums(at.clips, n, m.dweights, out("dfc2_bias")),
                      gemm(false, at.clips, at.hidden, n, m.dweights, in("fc2"), m.dact),
                      morphmlp_rows(call, at.clips, morphmlp_gelu_backward_row{at.hidden, m.z, m.dact, m.dact}),
                      gemm(true, at.hidden, at.cols, at.clips, m.dact, m.pooled, out("dfc1")),
                      sums(at.clips, at.hidden, m.dact, out("dfc1_bias")),
                      gemm(false, at.clips, at.cols, at.hidden, m.dact, in("fc1"), m.dpooled)});
  for (int64_t i = 0; i < at.branches && status == MORPHMLP_OK; ++i)
    status = morphmlp_rows(call, at.rows(), BranchGradient{at, i, m.weights, dmix, m.dpooled, m.branch[i]});
  // The channel FC first: it writes dnormed, and the others add to it.
  for (int64_t i = at.branches; i-- > 0 && status == MORPHMLP_OK;) status = branch_backward(call, at, m, i);
  const morphmlp_norm_parameters parameters = {xt,     at.rows(), at.cols,       m.mean,
                                               m.rstd, m.dnormed, out("dgamma"), out("dbeta")};
  const morphmlp_norm_backward_row rows = {xt,       {nullptr, MORPHMLP_F32}, dxt, at.cols, in("gamma"), m.mean, m.rstd,
                                           m.dnormed};
  if (status == MORPHMLP_OK) status = morphmlp_rows(call, (at.cols + 15) / 16, parameters);
  if (status == MORPHMLP_OK && dxt.data) status = morphmlp_rows(call, at.rows(), rows);
  if (status != MORPHMLP_OK || !dx.data) return status;
  return morphmlp_first({morphmlp_each(call, elements, morphmlp_widen{dy, dout}),
                         morphmlp_each(call, elements, morphmlp_narrow{dout, nullptr, 1, dx})});
}

MORPHMLP_TUNED_KERNEL("norm_spatial", "starter", workspace, forward, backward)
