#include "bindings/table.h"

#include "kernels/kernels.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

// Reads the arguments, picks the kernel of their device, runs it unless there is nothing to write.
template <class T>
void run(const Source& source, const char* name, void (*Kernels::*kernel)(const T&)) {
  try {
    Args args(source);
    const T arguments = read<T>(args);
    args.finish();
    const Kernels& kernels = kernels_for(args.device());
    if (args.device() == Device::cuda) cuda::begin(name);
    if (args.writes()) (kernels.*kernel)(arguments);
  } catch (const std::exception& error) {
    fail(std::string(name) + ": " + error.what());
  }
}

}  // namespace

const std::vector<Callable>& callables() {
  static const std::vector<Callable> all = {
#define K(name, T) {#name, [](const Source& source) { run<T>(source, #name, &Kernels::name); }},
#define OP(stem, ...) __VA_ARGS__
#include "ops.def"
#undef OP
#undef K
  };
  return all;
}

}  // namespace morphmlp
