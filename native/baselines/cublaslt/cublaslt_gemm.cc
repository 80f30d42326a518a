#include "baselines/cublaslt/cublaslt_gemm.h"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "cuda/workspace.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

// Part of cublasLt.h as a binary interface; the same in versions 11, 12 and 13.
constexpr int kF32 = 0, kBf16 = 14, kComputeF32 = 68;  // CUDA_R_32F, CUDA_R_16BF, CUBLAS_COMPUTE_32F
constexpr int kTransposeA = 3, kTransposeB = 4;        // attributes of a product
constexpr int kWorkspaceBytes = 1;                     // attributes of a preference: this, and
constexpr int kAlignA = 5, kAlignB = 6, kAlignC = 7, kAlignD = 8;

constexpr uint64_t kWorkspace = uint64_t{32} << 20;
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

// Descriptors and algorithm of one shape; live as long as the program.
struct Plan {
  void *desc = nullptr, *a = nullptr, *b = nullptr, *c = nullptr;
  Heuristic chosen;
};

int type_of(LtType type) { return type == LtType::bf16 ? kBf16 : kF32; }

void* layout_of(LtType type, int64_t rows, int64_t columns, int64_t leading) {
  void* layout = nullptr;
  const auto across = static_cast<uint64_t>(columns), down = static_cast<uint64_t>(rows);
  check(library().layout_create(&layout, type_of(type), across, down, leading), "describing a matrix");
  return layout;
}

void* desc_of(int transpose_first, int transpose_second) {
  const Library& l = library();
  void* desc = nullptr;
  check(l.desc_create(&desc, kComputeF32, kF32), "describing a product");
  check(l.desc_set(desc, kTransposeA, &transpose_first, sizeof transpose_first), "describing a product");
  check(l.desc_set(desc, kTransposeB, &transpose_second, sizeof transpose_second), "describing a product");
  return desc;
}

// Largest power of two that divides the address, up to 256, which cuBLASLt assumes by default.
uint32_t alignment_of(const void* data) {
  uint32_t bytes = 256;
  while (reinterpret_cast<uintptr_t>(data) % bytes != 0) bytes /= 2;
  return bytes;
}

// Workspace and alignments that the algorithm may rely on. cuBLASLt's first operand is our second (choose).
int describe(void* preference, const LtProduct& p) {
  const Library& l = library();
  int status = l.preference_set(preference, kWorkspaceBytes, &kWorkspace, sizeof kWorkspace);
  const std::pair<int, const void*> all[] = {{kAlignA, p.b.data}, {kAlignB, p.a.data}, {kAlignC, p.c}, {kAlignD, p.c}};
  for (const auto& [attribute, data] : all) {
    const uint32_t bytes = alignment_of(data);
    if (status == 0) status = l.preference_set(preference, attribute, &bytes, sizeof bytes);
  }
  return status;
}

// cuBLASLt is column-major: it computes c^T[n, m] = op(b)^T op(a)^T from the same memory, so its first operand is b.
void choose(Plan& plan, const LtProduct& p) {
  const Library& l = library();
  void* wish = nullptr;
  int count = 0;
  check(l.preference_create(&wish), "a preference");
  int status = describe(wish, p);
  if (status == 0)
    status = l.heuristic(l.handle, plan.desc, plan.b, plan.a, plan.c, plan.c, wish, 1, &plan.chosen, &count);
  l.preference_destroy(wish);
  check(status, "choosing an algorithm");
  if (count == 0) fail("cuBLASLt has no algorithm for this product");
}

Plan make_plan(const LtProduct& p) {
  Plan plan;
  plan.desc = desc_of(p.b.transposed, p.a.transposed);
  const auto matrix = [&](const LtMatrix& x, int64_t rows, int64_t columns) {
    return layout_of(p.operands, x.transposed ? columns : rows, x.transposed ? rows : columns, x.leading);
  };
  plan.a = matrix(p.a, p.m, p.k);
  plan.b = matrix(p.b, p.k, p.n);
  plan.c = layout_of(p.result, p.m, p.n, p.n);
  choose(plan, p);
  return plan;
}

// One plan for each shape, alignment and type.
const Plan& plan_of(const LtProduct& p) {
  const auto key = std::make_tuple(p.a.transposed, p.b.transposed, p.a.leading, p.b.leading, p.m, p.n, p.k, p.operands,
                                   p.result, alignment_of(p.a.data), alignment_of(p.b.data), alignment_of(p.c));
  static std::map<std::remove_const_t<decltype(key)>, Plan> plans;
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make_plan(p)).first;
  return found->second;
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

void cublas_lt_product(const LtProduct& p) {
  const Plan& plan = plan_of(p);
  const Library& l = library();
  const Workspace<char> workspace(static_cast<int64_t>(kWorkspace));
  const float one = 1, zero = 0;
  check(l.matmul(l.handle, plan.desc, &one, p.b.data, plan.b, p.a.data, plan.a, &zero, p.c, plan.c, p.c, plan.c,
                 &plan.chosen.algorithm, workspace.data(), kWorkspace, native_stream()),
        "the product");
  launched();
}

}  // namespace morphmlp::cuda
