// Source of a kernel's arguments: JavaScript (node/js_arguments.h) or C (c_api/c_arguments.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/buffer.h"

namespace morphmlp {

// One value that the caller gave.
struct Argument {
  enum class Kind : uint8_t { number, flag, null, buffer, list, other };

  Kind kind = Kind::other;
  double number = 0;               // a number; 0 or 1 for a flag
  size_t count = 0;                // the items of a list
  std::shared_ptr<Buffer> buffer;  // of a buffer; null once it was freed
  std::string words;               // of anything else: what it is, as error messages say it
};

class Source {
 public:
  virtual ~Source() = default;
  virtual size_t count() const = 0;
  // Argument i, which the kernel calls `name`. An item of a list is read when it is asked for: a list may be longer
  // than memory, and reading an item may run the caller's code.
  virtual Argument at(size_t i, const char* name) const = 0;
  virtual Argument item(size_t i, size_t in_list) const = 0;
  virtual bool any_bf16() const = 0;  // whether one of the buffers, read or not, is bf16
};

// An argument as error messages say it.
std::string describe(const Argument& argument);

}  // namespace morphmlp
