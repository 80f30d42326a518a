#include "cuda/products.h"

#include <cstdlib>
#include <string>

#include "cuda/cublas_lt.h"
#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

Products named(const std::string& name, const std::string& who) {
  if (name == "own") return Products::own;
  if (name != "cublaslt") fail(who + ": expected own or cublaslt, got '" + name + "'");
  if (!has_cublas_lt()) fail(who + ": cublaslt was asked for, but " + cublas_lt_name());
  return Products::cublas_lt;
}

// What was asked for in the environment; an empty value asks for nothing.
Products asked() {
  const char* wanted = std::getenv("MORPHMLP_GEMM");
  return wanted && *wanted ? named(wanted, "MORPHMLP_GEMM") : Products::own;
}

// A static whose initialisation throws is initialised again the next time, and throws again.
Products& chosen() {
  static Products now = asked();
  return now;
}

}  // namespace

Products products() { return chosen(); }

std::string products_by() { return products() == Products::own ? "own" : cublas_lt_name(); }

void use_products(const std::string& name) { chosen() = named(name, "products"); }

}  // namespace morphmlp::cuda
