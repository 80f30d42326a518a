#include "cuda/cublas_lt.h"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <tuple>
#include <vector>

#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

// What we use of cublasLt.h, in its binary interface; the same in versions 11, 12 and 13.
constexpr int kF32 = 0, kComputeF32 = 68;        // CUDA_R_32F, CUBLAS_COMPUTE_32F
constexpr int kTransposeA = 3, kTransposeB = 4;  // attributes of a product
constexpr int kWorkspaceBytes = 1;               // attribute of a preference
struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  int status;
  float waves;
  int reserved[4];
};

struct Library {
  std::string file, missing = "none of libcublasLt.so.13, .12, .11 was found (MORPHMLP_CUBLASLT names another)";
  void* handle = nullptr;
  size_t version = 0;
  int (*desc_create)(void** desc, int compute, int scale);
  int (*desc_set)(void* desc, int attribute, const void* value, size_t bytes);
  int (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading);
  int (*preference_create)(void** preference);
  int (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
  int (*preference_destroy)(void* preference);
  int (*heuristic)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int wanted,
                   Heuristic* found, int* count);
  int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* layout_a, const void* b,
                void* layout_b, const void* beta, const void* c, void* layout_c, void* d, void* layout_d,
                const Algorithm* algorithm, void* workspace, size_t workspace_bytes, void* stream);
};

template <class F>
bool find(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
  return *function != nullptr;
}

bool find_all(Library& l, void* library) {
  size_t (*version)() = nullptr;
  int (*create)(void**) = nullptr;
  const bool found = find(library, "cublasLtGetVersion", &version) && find(library, "cublasLtCreate", &create) &&
                     find(library, "cublasLtMatmulDescCreate", &l.desc_create) &&
                     find(library, "cublasLtMatmulDescSetAttribute", &l.desc_set) &&
                     find(library, "cublasLtMatrixLayoutCreate", &l.layout_create) &&
                     find(library, "cublasLtMatmulPreferenceCreate", &l.preference_create) &&
                     find(library, "cublasLtMatmulPreferenceSetAttribute", &l.preference_set) &&
                     find(library, "cublasLtMatmulPreferenceDestroy", &l.preference_destroy) &&
                     find(library, "cublasLtMatmulAlgoGetHeuristic", &l.heuristic) &&
                     find(library, "cublasLtMatmul", &l.matmul);
  if (!found) return l.missing = l.file + " lacks functions of cuBLASLt", false;
  const int status = create(&l.handle);
  if (status != 0) return l.missing = l.file + ": cublasLtCreate gave status " + std::to_string(status), false;
  l.version = version();
  return true;
}

Library open_library() {
  Library l{};
  std::vector<std::string> files = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"};
  if (const char* own = std::getenv("MORPHMLP_CUBLASLT")) files = {own};
  for (const std::string& file : files) {
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) continue;
    l.file = file;
    if (find_all(l, library)) l.missing.clear();
    return l;
  }
  if (std::getenv("MORPHMLP_CUBLASLT")) l.missing = files[0] + " of MORPHMLP_CUBLASLT cannot be loaded";
  return l;
}

Library& library() {
  static Library found = open_library();
  return found;
}

void check(int status, const char* what) {
  if (status != 0) fail(std::string("cuBLASLt: ") + what + " gave status " + std::to_string(status));
}

// Of one shape; lives as long as the program.
struct Plan {
  void *desc = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;
  Heuristic chosen;
};

// cuBLASLt is column-major: it computes c^T[n, m] = op(b)^T op(a)^T from the same memory, so its first operand is b.
Plan make_plan(bool ta, bool tb, int64_t m, int64_t n, int64_t k, size_t workspace_bytes) {
  const Library& l = library();
  Plan p;
  const int first = tb ? 1 : 0, second = ta ? 1 : 0;
  check(l.desc_create(&p.desc, kComputeF32, kF32), "describing a product");
  check(l.desc_set(p.desc, kTransposeA, &first, sizeof first), "describing a product");
  check(l.desc_set(p.desc, kTransposeB, &second, sizeof second), "describing a product");
  const auto matrix = [&](void** layout, int64_t rows, int64_t columns) {  // row-major and dense
    check(l.layout_create(layout, kF32, static_cast<uint64_t>(columns), static_cast<uint64_t>(rows), columns),
          "describing a matrix");
  };
  matrix(&p.a, ta ? k : m, ta ? m : k);
  matrix(&p.b, tb ? n : k, tb ? k : n);
  matrix(&p.c, m, n);
  void* preference = nullptr;
  int count = 0;
  const uint64_t bytes = workspace_bytes;
  check(l.preference_create(&preference), "a preference");
  check(l.preference_set(preference, kWorkspaceBytes, &bytes, sizeof bytes), "a preference");
  const int status = l.heuristic(l.handle, p.desc, p.b, p.a, p.c, p.c, preference, 1, &p.chosen, &count);
  l.preference_destroy(preference);
  check(status, "choosing an algorithm");
  if (count == 0) fail("cuBLASLt has no algorithm for this product");
  return p;
}

}  // namespace

bool has_cublas_lt() { return library().missing.empty(); }

std::string cublas_lt_name() {
  const Library& l = library();
  if (!l.missing.empty()) return l.missing;
  const size_t v = l.version;  // 120304 is 12.3.4
  return "cuBLASLt " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100) +
         " (" + l.file + ")";
}

void cublas_lt_product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c,
                       void* workspace, size_t workspace_bytes) {
  static std::map<std::tuple<bool, bool, int64_t, int64_t, int64_t, size_t>, Plan> plans;
  const auto key = std::make_tuple(ta, tb, m, n, k, workspace_bytes);
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make_plan(ta, tb, m, n, k, workspace_bytes)).first;
  const Plan& p = found->second;
  const Library& l = library();
  const float one = 1, zero = 0;
  check(l.matmul(l.handle, p.desc, &one, b, p.b, a, p.a, &zero, c, p.c, c, p.c, &p.chosen.algorithm, workspace,
                 workspace_bytes, native_stream()),
        "the product");
  launched();
}

}  // namespace morphmlp::cuda
