// Errors cross the addon boundary as JavaScript errors: throw Error anywhere below a binding.
#pragma once
#include <stdexcept>
#include <string>

namespace morphmlp {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail(const std::string& message) { throw Error(message); }

}  // namespace morphmlp
