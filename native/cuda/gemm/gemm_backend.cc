#include "cuda/gemm/gemm_backend.h"

#include <atomic>

#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp::cuda {
namespace {

std::atomic<GemmBackend> selected{GemmBackend::mma};
std::atomic<int64_t> launches{0};

}  // namespace

GemmBackend gemm_backend() { return selected; }

void count_wgmma_launch() { ++launches; }
double wgmma_launches() { return static_cast<double>(launches); }

std::string gemm_backend_name() { return selected == GemmBackend::wgmma ? "wgmma" : "mma"; }

void use_gemm_backend(const std::string& name) {
  if (name != "mma" && name != "wgmma") fail("expected mma or wgmma, got '" + name + "'");
  const std::string reason = name == "wgmma" ? wgmma_unavailable() : "";
  if (!reason.empty()) fail("wgmma is not available: " + reason);
  selected = name == "wgmma" ? GemmBackend::wgmma : GemmBackend::mma;
}

}  // namespace morphmlp::cuda
