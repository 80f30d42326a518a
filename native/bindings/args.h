// Reads the arguments of a kernel, in order, and checks each: sizes first, then buffers against those sizes. A wrong
// size that got past the caller would be a crash, so nothing is taken on trust here. Errors name the argument; the
// caller puts the kernel's name before it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bindings/source.h"
#include "ops/bf16.h"
#include "runtime/buffer.h"

namespace morphmlp {

template <class T>
constexpr DType kDType = DType::f32;
template <>
constexpr DType kDType<Bf16> = DType::bf16;
template <>
constexpr DType kDType<int32_t> = DType::i32;
template <>
constexpr DType kDType<uint8_t> = DType::u8;

// A buffer that a kernel is given.
struct Given {
  std::shared_ptr<Buffer> buffer;  // shared: a getter of a list may free what was read before it
  const char* name;
  bool written;
  bool unread = false;  // by the kernel, with these arguments: anything may overlap it
  bool kept = false;    // an UPDATE that the kernel only reads, with these arguments
};

// Throws where one that is written overlaps another: kernels write while other threads still read. What is read and
// written in place is one argument, UPDATE.
void refuse_overlaps(const std::vector<Given>& operands);

class Args {
 public:
  explicit Args(const Source& source) : source_(source) {}

  // A buffer that is read (In) or written (Out) once it is known as what.
  struct In {
    template <class T>
    operator const T*() const {
      const Buffer* b = args.buffer(name, length, kDType<T>, optional);
      return b ? static_cast<const T*>(b->data) : nullptr;
    }
    Args& args;
    const char* name;
    int64_t length;
    bool optional;
  };
  struct Out {
    template <class T>
    operator T*() const {
      const Buffer* b = args.written(args.buffer(name, length, kDType<T>, optional));
      return b ? static_cast<T*>(b->data) : nullptr;
    }
    Args& args;
    const char* name;
    int64_t length;
    bool optional;
  };

  int64_t size(const char* name);     // an integer 0 .. 2^53
  int64_t integer(const char* name);  // any integer
  float real(const char* name);       // any number that is not NaN
  bool flag(const char* name);

  // Buffers of exactly `length` elements, of the type of the field they go to: p.x = a.in("x", n). The optional ones
  // give nullptr for null.
  In in(const char* name, int64_t length) { return {*this, name, length, false}; }
  In in_or_null(const char* name, int64_t length) { return {*this, name, length, true}; }
  Out out(const char* name, int64_t length) { return {*this, name, length, false}; }
  Out out_or_null(const char* name, int64_t length) { return {*this, name, length, true}; }

  // Lists of f32 buffers: `lengths` looks at the next argument without taking it, the others check each buffer against
  // them.
  std::vector<int64_t> lengths(const char* name);
  std::vector<const float*> in_list(const char* name, const std::vector<int64_t>& lengths);
  std::vector<float*> out_list(const char* name, const std::vector<int64_t>& lengths);

  // The buffer object itself, for kernels that keep something derived from it (packed weights).
  Buffer* in_buffer(const char* name, int64_t length);

  void unread(const char* name);           // says that the kernel does not read this input
  void keeps(const char* name);            // says that the kernel does not write this UPDATE
  void finish();                           // throws when arguments are left over or outputs overlap; counts the writes
  bool writes() const { return writes_; }  // whether an output has elements: without one a kernel has nothing to do
  Device device() const { return device_.value_or(Device::cpu); }
  [[noreturn]] void reject(const std::string& what) const;

 private:
  Argument next(const char* name);
  Buffer* buffer(const char* name, int64_t length, DType dtype, bool optional);
  Buffer* written(Buffer* b);
  Buffer* check(const char* name, const Argument& given, int64_t length, DType dtype);
  std::vector<Buffer*> list(const char* name, const std::vector<int64_t>& lengths);
  [[noreturn]] void bad(const char* name, const std::string& expected, const std::string& got) const;

  const Source& source_;
  size_t position_ = 0;
  bool writes_ = false;
  std::optional<Device> device_;
  std::vector<Given> held_;
};

// Throws unless each of `n` indices is from 0 to rows - 1: one outside would read or write foreign memory.
void check_index(const Args& args, const int32_t* index, int64_t n, int64_t rows);

// The arguments of a kernel as its struct (readers.cc).
template <class P>
P read(Args& args);

// The element count of a product of sizes; throws when it passes 2^53, also when it would without sizes of 0: kernels
// multiply some of them.
int64_t count(const int64_t* sizes, size_t n);
inline int64_t count(std::initializer_list<int64_t> sizes) { return count(sizes.begin(), sizes.size()); }

}  // namespace morphmlp
