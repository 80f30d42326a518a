#include "cuda/gemm/gemm_backend.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "cuda/gemm/cublas_lt.h"
#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

Products on_hopper(const std::string& who) {
  const std::string lacks = hopper_lacks();
  if (!lacks.empty()) fail(who + ": wgmma was asked for, but " + lacks);
  return Products::wgmma;
}

Products named(const std::string& name, const std::string& who) {
  if (name == "own") return Products::own;
  if (name == "wgmma") return on_hopper(who);
  if (name != "cublaslt") fail(who + ": expected own, wgmma or cublaslt, got '" + name + "'");
  if (!has_cublas_lt()) fail(who + ": cublaslt was asked for, but " + cublas_lt_name());
  return Products::cublas_lt;
}

F32By f32_named(const std::string& name, const std::string& who) {
  if (name == "ffma") return F32By::ffma;
  if (name != "3xtf32") fail(who + ": expected ffma or 3xtf32, got '" + name + "'");
  return F32By::tf32x3;
}

// What was asked for in the environment; an empty value asks for nothing.
template <class Kind>
Kind asked(const char* variable, Kind (*named)(const std::string&, const std::string&), Kind otherwise) {
  const char* wanted = std::getenv(variable);
  return wanted && *wanted ? named(wanted, variable) : otherwise;
}

// A static whose initialisation throws is initialised again the next time, and throws again.
Products& chosen() {
  static Products now = asked("MORPHMLP_GEMM", named, Products::own);
  return now;
}

F32By& chosen_f32() {
  static F32By now = asked("MORPHMLP_F32", f32_named, F32By::ffma);
  return now;
}

std::atomic<int64_t> by_wgmma{0};

}  // namespace

void count_wgmma_product() { ++by_wgmma; }
double wgmma_products() { return static_cast<double>(by_wgmma); }

Products products() { return chosen(); }
F32By f32_by() { return chosen_f32(); }

std::string products_by() {
  const bool library = products() == Products::cublas_lt;
  const std::string by = library ? cublas_lt_name() : products() == Products::wgmma ? "own, bf16 by wgmma" : "own";
  return f32_by() == F32By::ffma ? by : by + ", f32 by 3xTF32";
}

void use_products(const std::string& name) { chosen() = named(name, "products"); }
void use_f32(const std::string& name) { chosen_f32() = f32_named(name, "f32"); }

}  // namespace morphmlp::cuda
