// Thrown anywhere below a binding; the addon rethrows it as a JavaScript Error.
#pragma once
#include <stdexcept>
#include <string>

namespace morphmlp {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail(const std::string& message) { throw Error(message); }

}  // namespace morphmlp
