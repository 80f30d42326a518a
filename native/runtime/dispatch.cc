#include "runtime/dispatch.h"

#include <cstdlib>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "runtime/cuda.h"
#include "runtime/error.h"
#include "runtime/threads.h"

namespace morphmlp {

#if defined(__x86_64__)
namespace baseline {
extern const Kernels kernels;
double fma_peak(double seconds);
double bf16_peak(double seconds);
}  // namespace baseline
namespace avx2 {
extern const Kernels kernels;
double fma_peak(double seconds);
double bf16_peak(double seconds);
}  // namespace avx2
namespace avx512 {
extern const Kernels kernels;
double fma_peak(double seconds);
double bf16_peak(double seconds);
}  // namespace avx512
namespace avx512bf16 {
extern const Kernels kernels;
double fma_peak(double seconds);
double bf16_peak(double seconds);
}  // namespace avx512bf16
#else
namespace neon {
extern const Kernels kernels;
double fma_peak(double seconds);
double bf16_peak(double seconds);
}  // namespace neon
namespace neonbf16 {
extern const Kernels kernels;
double fma_peak(double seconds);
double bf16_peak(double seconds);
}  // namespace neonbf16
#endif

namespace {

#if defined(__aarch64__)
// Whether the processor has FEAT_BF16, as the system reports it.
bool has_bf16() {
#if defined(__linux__)
  constexpr unsigned long kHwcap2Bf16 = 1ul << 14;  // HWCAP2_BF16, which headers before Linux 5.7 lack
  return (getauxval(AT_HWCAP2) & kHwcap2Bf16) != 0;
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof(has);
  return sysctlbyname("hw.optional.arm.FEAT_BF16", &has, &size, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}
#endif

struct Isa {
  const char* name;
  const Kernels* kernels;
  double (*fma_peak)(double);
  double (*bf16_peak)(double);
};

std::vector<Isa> supported() {
#if defined(__x86_64__)
  std::vector<Isa> found{{"baseline", &baseline::kernels, &baseline::fma_peak, &baseline::bf16_peak}};
#if !defined(MORPHMLP_BASELINE_ONLY)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (fma) found.push_back({"avx2", &avx2::kernels, &avx2::fma_peak, &avx2::bf16_peak});
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (fma && wide) found.push_back({"avx512", &avx512::kernels, &avx512::fma_peak, &avx512::bf16_peak});
  if (fma && wide && __builtin_cpu_supports("avx512bf16"))
    found.push_back({"avx512bf16", &avx512bf16::kernels, &avx512bf16::fma_peak, &avx512bf16::bf16_peak});
#endif
  return found;
#else
  std::vector<Isa> found{{"neon", &neon::kernels, &neon::fma_peak, &neon::bf16_peak}};
  if (has_bf16()) found.push_back({"neonbf16", &neonbf16::kernels, &neonbf16::fma_peak, &neonbf16::bf16_peak});
  return found;
#endif
}

Isa find_isa(const std::string& name) {
  std::string have;
  for (const Isa& isa : supported()) {
    if (name == isa.name) return isa;
    have += have.empty() ? isa.name : std::string(", ") + isa.name;
  }
  fail("instruction set '" + name + "' is not available here; this machine has: " + have);
}

Isa& current() {
  static Isa chosen = [] {
    const char* wanted = std::getenv("MORPHMLP_ISA");
    return wanted && *wanted ? find_isa(wanted) : supported().back();
  }();
  return chosen;
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : supported()) names.push_back(isa.name);
  return names;
}

std::string current_isa() { return current().name; }

void set_isa(const std::string& name) { current() = find_isa(name); }

double measure_fma_peak(double seconds, bool bf16) {
  const auto peak = bf16 ? current().bf16_peak : current().fma_peak;
  std::vector<double> rates(static_cast<size_t>(thread_count()));
  parallel_for(thread_count(), [&](int64_t i) { rates[static_cast<size_t>(i)] = peak(seconds); });
  double total = 0;
  for (double rate : rates) total += rate;
  return total;
}

std::string cuda_status() {
  std::string reason;
  return cuda_kernels(&reason) ? "available" : reason;
}

const Kernels& kernels_for(Device device) {
  if (device == Device::cpu) return *current().kernels;
  std::string reason;
  const Kernels* cuda = cuda_kernels(&reason);
  if (!cuda) fail("no CUDA device: " + reason);
  return *cuda;
}

}  // namespace morphmlp
