#include "runtime/blas_kernels.h"

#include <dlfcn.h>
#include <math.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "morphmlp_each.h"
#include "runtime/error.h"

// The index formulas are those of the naive kernels.
#undef MORPHMLP_KERNEL
#define MORPHMLP_KERNEL(op, name, workspace, forward, backward)                                              \
  [[maybe_unused]] static const morphmlp_kernel unused = {MORPHMLP_KERNEL_ABI, MORPHMLP_HERE, op,      name, \
                                                          MORPHMLP_FLAGS,      workspace,     forward, backward};
namespace morph_fc {
#include "naive/morph_fc.cc"
}
namespace temporal_fc {
#include "naive/temporal_fc.cc"
}

namespace morphmlp {
namespace {

constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;
using Sgemm = void (*)(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);

struct Library {
  std::string name, file;
  Sgemm sgemm;
  void (*set_threads)(int);  // nullptr where the library has none
  std::vector<std::unique_ptr<morphmlp_kernel>> kernels;
};

void* open_first(const std::vector<std::string>& files, std::string* file) {
  for (const std::string& name : files)
    if (void* found = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
      *file = name;
      return found;
    }
  return nullptr;
}

void add_library(std::vector<Library>& all, const std::string& name, const std::vector<std::string>& files,
                 const char* threads) {
  Library library{name, "", nullptr, nullptr, {}};
  void* handle = open_first(files, &library.file);
  if (!handle) return;
  library.sgemm = reinterpret_cast<Sgemm>(dlsym(handle, "cblas_sgemm"));
  if (threads) library.set_threads = reinterpret_cast<void (*)(int)>(dlsym(handle, threads));
  if (library.sgemm) all.push_back(std::move(library));
}

std::vector<Library>& libraries() {
  static std::vector<Library> found = [] {
    std::vector<Library> all;
    add_library(all, "MKL", {"libmkl_rt.so.2", "libmkl_rt.so"}, "MKL_Set_Num_Threads");
    add_library(all, "OpenBLAS", {"libopenblas.so.0", "libopenblas.so"}, "openblas_set_num_threads");
    add_library(all, "BLIS", {"libblis.so.4", "libblis.so"}, "bli_thread_set_num_threads");
    if (const char* own = std::getenv("MORPHMLP_BLAS")) add_library(all, "MORPHMLP_BLAS", {own}, nullptr);
    return all;
  }();
  return found;
}

// The kernels of the C interface know no library: it is the one that was asked for last.
const Library* current = nullptr;

// c[m, n] = op(a) op(b), row-major and dense.
void product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c) {
  const auto i = [](int64_t size) { return static_cast<int>(size); };
  current->sgemm(kRowMajor, ta ? kTranspose : kNoTranspose, tb ? kTranspose : kNoTranspose, i(m), i(n), i(k), 1, a,
                 i(ta ? m : k), b, i(tb ? k : n), 0, c, i(n));
}

void begin(const morphmlp_call* call) {
  if (current->set_threads) current->set_threads(call->threads);
}

struct AddBias {
  int64_t n;
  const float* bias;
  float* y;
  void operator()(int64_t i) const { y[i] += bias[i % n]; }
};

struct SumColumn {
  int64_t rows, n;
  const float* dy;
  float* dbias;
  void operator()(int64_t j) const {
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += dy[r * n + j];
    dbias[j] = static_cast<float>(sum);
  }
};

// y[rows, n] = x[rows, k] weight^T + bias
int32_t fc_forward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, const float* x, float* y) {
  const float* bias = morphmlp_in(call, "bias");
  product(false, true, rows, n, k, x, morphmlp_in(call, "weight"), y);
  return morphmlp_each_if(bias, call, rows * n, AddBias{n, bias, y});
}

int32_t fc_backward(const morphmlp_call* call, int64_t rows, int64_t n, int64_t k, const float* x, const float* dy,
                    float* dx) {
  float *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  if (dx) product(false, false, rows, k, n, dy, morphmlp_in(call, "weight"), dx);
  if (dweight) product(true, false, n, k, rows, dy, x, dweight);
  return morphmlp_each_if(dbias, call, n, SumColumn{rows, n, dy, dbias});
}

int32_t linear_forward(const morphmlp_call* call) {
  begin(call);
  const int64_t* w = morphmlp_input(call, "weight")->shape;
  const int64_t rows = morphmlp_input(call, "x")->shape[0];
  return fc_forward(call, rows, w[0], w[1], morphmlp_in(call, "x"), morphmlp_out(call, "y"));
}

int32_t linear_backward(const morphmlp_call* call) {
  begin(call);
  const int64_t* w = morphmlp_input(call, "weight")->shape;
  const int64_t rows = morphmlp_input(call, "x")->shape[0];
  return fc_backward(call, rows, w[0], w[1], morphmlp_in(call, "x"), morphmlp_in(call, "dy"), morphmlp_out(call, "dx"));
}

// The FC's rows of a morph FC, which are runs of S channels of one token: where a row's number lies in the tokens, or
// -1.
struct MorphRows {
  morph_fc::Morph at;
  explicit MorphRows(const morphmlp_call* call) : at(morph_fc::morph_of(call)) {}
  int64_t rows() const { return at.frames * at.chunks() * at.chunk; }
  int64_t width() const { return at.channels; }
  int64_t run() const { return at.group(); }
  int64_t place(int64_t r, int64_t k) const {
    return at.place(r / (at.chunks() * at.chunk), r / at.chunk % at.chunks(), r % at.chunk, k);
  }
};

struct TimeRows {
  temporal_fc::Time at;
  explicit TimeRows(const morphmlp_call* call) : at(temporal_fc::time_of(call)) {}
  int64_t rows() const { return at.clips * at.positions * at.groups; }
  int64_t width() const { return at.row(); }
  int64_t run() const { return at.group(); }
  int64_t place(int64_t r, int64_t k) const {
    return at.place(r / (at.positions * at.groups), r / at.groups % at.positions, r % at.groups, k);
  }
};

// Run i of all rows.
template <class Rows>
struct Gather {
  Rows from;
  const float* tokens;
  float* rows;
  void operator()(int64_t i) const {
    const int64_t run = from.run(), runs = from.width() / run;
    const int64_t p = from.place(i / runs, i % runs * run);
    if (p < 0)
      std::fill_n(rows + i * run, run, 0.0f);
    else
      std::copy_n(tokens + p, run, rows + i * run);
  }
};

template <class Rows>
struct Scatter {
  Rows to;
  const float* rows;
  float* tokens;
  void operator()(int64_t i) const {
    const int64_t run = to.run(), runs = to.width() / run;
    const int64_t p = to.place(i / runs, i % runs * run);
    if (p >= 0) std::copy_n(rows + i * run, run, tokens + p);
  }
};

// Three sets of rows: of x, of y or its gradient, and of x's gradient.
template <class Rows>
size_t workspace(const morphmlp_call* call, int32_t backward) {
  const Rows rows(call);
  return static_cast<size_t>(rows.rows() * rows.width()) * sizeof(float) * (backward ? 3 : 2);
}

template <class Rows>
int32_t permuted_forward(const morphmlp_call* call) {
  begin(call);
  const Rows rows(call);
  const int64_t n = rows.rows() * rows.width(), runs = n / rows.run();
  float *x = static_cast<float*>(call->workspace), *y = x + n;
  return morphmlp_first({morphmlp_each(call, runs, Gather<Rows>{rows, morphmlp_in(call, "x"), x}),
                         fc_forward(call, rows.rows(), rows.width(), rows.width(), x, y),
                         morphmlp_each(call, runs, Scatter<Rows>{rows, y, morphmlp_out(call, "y")})});
}

template <class Rows>
int32_t permuted_backward(const morphmlp_call* call) {
  begin(call);
  const Rows rows(call);
  const int64_t n = rows.rows() * rows.width(), runs = n / rows.run();
  float *x = static_cast<float*>(call->workspace), *dy = x + n, *dx = morphmlp_out(call, "dx");
  return morphmlp_first({morphmlp_each(call, runs, Gather<Rows>{rows, morphmlp_in(call, "x"), x}),
                         morphmlp_each(call, runs, Gather<Rows>{rows, morphmlp_in(call, "dy"), dy}),
                         fc_backward(call, rows.rows(), rows.width(), rows.width(), x, dy, dx ? dy + n : nullptr),
                         morphmlp_each_if(dx, call, runs, Scatter<Rows>{rows, dy + n, dx})});
}

// One kernel for each library, so that running it says which library is meant.
template <size_t library, int32_t (*body)(const morphmlp_call*)>
int32_t with_library(const morphmlp_call* call) {
  current = &libraries()[library];
  return body(call);
}

template <size_t library>
void add_kernels(Library& to) {
  const auto add = [&](const char* op, auto workspace, auto forward, auto backward) {
    to.kernels.push_back(std::make_unique<morphmlp_kernel>(morphmlp_kernel{
        MORPHMLP_KERNEL_ABI, MORPHMLP_CPU, op, to.name.c_str(), to.file.c_str(), workspace, forward, backward}));
  };
  add("linear", nullptr, with_library<library, linear_forward>, with_library<library, linear_backward>);
  add("morph_fc", workspace<MorphRows>, with_library<library, permuted_forward<MorphRows>>,
      with_library<library, permuted_backward<MorphRows>>);
  add("temporal_fc", workspace<TimeRows>, with_library<library, permuted_forward<TimeRows>>,
      with_library<library, permuted_backward<TimeRows>>);
}

void make_kernels() {
  std::vector<Library>& all = libraries();
  if (all.empty() || !all[0].kernels.empty()) return;
  constexpr void (*add[])(Library&) = {add_kernels<0>, add_kernels<1>, add_kernels<2>, add_kernels<3>};
  for (size_t i = 0; i < all.size(); ++i) add[i](all[i]);
}

}  // namespace

std::vector<std::string> blas_libraries() {
  std::vector<std::string> names;
  for (const Library& library : libraries()) names.push_back(library.name);
  return names;
}

const morphmlp_kernel* blas_kernel(const std::string& op, const std::string& library) {
  make_kernels();
  for (const Library& one : libraries())
    if (one.name == library)
      for (const auto& kernel : one.kernels)
        if (op == kernel->op) return kernel.get();
  return nullptr;
}

}  // namespace morphmlp
