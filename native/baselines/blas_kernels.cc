#include "baselines/blas_kernels.h"

#include <dlfcn.h>
#include <math.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "runtime/error.h"
#define MORPHMLP_FC_BY_GEMM fc_by_blas
#include "baselines/fc_by_gemm.h"
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

namespace morphmlp {
namespace {

constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;
using Sgemm = void (*)(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);

struct Library {
  std::string name, file;
  Sgemm sgemm;
  void (*set_threads)(int);  // nullptr if the library has none
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

// The library of the running kernel: the C interface passes no context.
const Library* current = nullptr;

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

}  // namespace

namespace fc_by_blas {

int32_t gemm(const morphmlp_call*, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, const float* b,
             float* c) {
  const auto i = [](int64_t size) { return static_cast<int>(size); };
  current->sgemm(kRowMajor, ta ? kTranspose : kNoTranspose, tb ? kTranspose : kNoTranspose, i(m), i(n), i(k), 1, a,
                 i(ta ? m : k), b, i(tb ? k : n), 0, c, i(n));
  return MORPHMLP_OK;
}

int32_t sum_rows(const morphmlp_call* call, int64_t rows, int64_t n, const float* dy, float* dbias) {
  return morphmlp_each(call, n, SumColumn{rows, n, dy, dbias});
}

}  // namespace fc_by_blas

// The fused ops: the starters of `kernel new` with the library's product.
#define morphmlp_gemm fc_by_blas::gemm
#undef MORPHMLP_TUNED_KERNEL
#define MORPHMLP_TUNED_KERNEL(...)
namespace norm_mlp {
#include "baselines/starter/norm_mlp.cc"
}
namespace norm_temporal {
#include "baselines/starter/norm_temporal.cc"
}
namespace norm_spatial {
#include "baselines/starter/norm_spatial.cc"
}
namespace conv3d {
#include "baselines/starter/conv3d.cc"
}
#undef morphmlp_gemm

namespace {

// One kernel per library, which sets `current`.
template <size_t library, int32_t (*body)(const morphmlp_call*)>
int32_t with_library(const morphmlp_call* call) {
  current = &libraries()[library];
  if (current->set_threads) current->set_threads(call->threads);
  return body(call);
}

template <size_t library>
void add_kernels(Library& to) {
  const auto add = [&](const char* op, auto workspace, auto forward, auto backward, int32_t dtypes = 0) {
    to.kernels.push_back(std::make_unique<morphmlp_kernel>(morphmlp_kernel{MORPHMLP_KERNEL_ABI, MORPHMLP_CPU, op,
                                                                           to.name.c_str(), to.file.c_str(), workspace,
                                                                           forward, backward, dtypes, nullptr, 0}));
  };
  using namespace fc_by_blas;
  add("linear", nullptr, with_library<library, linear_forward>, with_library<library, linear_backward>);
  add("morph_fc", workspace<MorphRows>, with_library<library, gathered_forward<MorphRows>>,
      with_library<library, gathered_backward<MorphRows>>);
  add("temporal_fc", workspace<TemporalRows>, with_library<library, gathered_forward<TemporalRows>>,
      with_library<library, gathered_backward<TemporalRows>>);
  constexpr int32_t kBoth = MORPHMLP_TAKES_F32 | MORPHMLP_TAKES_BF16;
  add("norm_mlp", norm_mlp::workspace, with_library<library, norm_mlp::forward>,
      with_library<library, norm_mlp::backward>, kBoth);
  add("norm_temporal", norm_temporal::workspace, with_library<library, norm_temporal::forward>,
      with_library<library, norm_temporal::backward>, kBoth);
  add("norm_spatial", norm_spatial::workspace, with_library<library, norm_spatial::forward>,
      with_library<library, norm_spatial::backward>, kBoth);
  add("conv3d", conv3d::workspace, with_library<library, conv3d::forward>, with_library<library, conv3d::backward>,
      kBoth);
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
