#include "bindings/table.h"

#include "ops/kernels.h"
#include "runtime/cuda.h"
#include "runtime/dispatch.h"
#include "runtime/error.h"

namespace morphmlp {
namespace {

// Reads the arguments, picks the kernel of their device, runs it unless there is nothing to write.
template <class P, class Table>
void run(const Source& source, const char* name, const Table* (*table)(Device), void (*Table::*kernel)(const P&)) {
  Args args(source);
  const P arguments = read<P>(args);
  args.finish();
  const Table* kernels = table(args.device());
  if (args.device() == Device::cuda) cuda::begin(name);
  if (args.writes()) (kernels->*kernel)(arguments);
}

const Kernels* f32_table(Device device) { return &kernels_for(device); }

const Bf16Kernels* bf16_table(Device device) { return kernels_for(device).bf16; }

template <class Body>
void named(const char* name, const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    fail(std::string(name) + ": " + error.what());
  }
}

template <class P>
void call(const Source& source, const char* name, void (*Kernels::*kernel)(const P&)) {
  named(name, [&] { run(source, name, f32_table, kernel); });
}

// A call with a bf16 buffer is one of the bf16 kernel: then all activations must be.
template <class P, class P16>
void call(const Source& source, const char* name, void (*Kernels::*kernel)(const P&),
          void (*Bf16Kernels::*kernel16)(const P16&)) {
  named(name, [&] {
    if (source.any_bf16()) return run(source, name, bf16_table, kernel16);
    run(source, name, f32_table, kernel);
  });
}

}  // namespace

const std::vector<Callable>& callables() {
  static const std::vector<Callable> all = {
#define KERNEL(name, P, ...) {#name, [](const Source& source) { call(source, #name, &Kernels::name); }, false},
#define KERNEL_BF16(name, P, ...) \
  {#name, [](const Source& source) { call(source, #name, &Kernels::name, &Bf16Kernels::name); }, true},
#include "ops/ops.def"
  };
  return all;
}

}  // namespace morphmlp
