// Every kernel of ops.def by its name, for whoever calls them.
#pragma once
#include <vector>

#include "bindings/args.h"

namespace morphmlp {

struct Callable {
  const char* name;
  void (*run)(const Source& arguments);  // throws an exception whose message begins with the kernel's name
  bool bf16;                             // whether it takes bf16 activations too
};

const std::vector<Callable>& callables();

}  // namespace morphmlp
