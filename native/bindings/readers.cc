// Reads and checks the arguments of every kernel, by the .def files of ops (ops/structs.h declares the structs).
#include "bindings/args.h"
#include "bindings/checks.h"
#include "ops/all.h"

namespace morphmlp {
namespace {

#define SHAPE(type, ...) void read_shape(Args& args_, type& p_);
#define KERNEL(kernel, type, ...)
#include "ops/ops.def"

// Each argument is a local too, so that those after it can name it.
#define SIZE(name)             \
  p_.name = args_.size(#name); \
  [[maybe_unused]] const int64_t name = p_.name;
#define SIZES(name, n)                                         \
  for (int64_t & value_ : p_.name) value_ = args_.size(#name); \
  [[maybe_unused]] const auto& name = p_.name;
#define REAL(name)             \
  p_.name = args_.real(#name); \
  [[maybe_unused]] const float name = p_.name;
#define FLAG(name)             \
  p_.name = args_.flag(#name); \
  [[maybe_unused]] const bool name = p_.name;
#define AT(type)            \
  read_shape(args_, p_.at); \
  const type& at = p_.at;
#define LET(name, value) [[maybe_unused]] const int64_t name = value;
#define REQUIRE(condition, message) \
  if (!(condition)) args_.reject(message);
#define CHECK(function) function(args_, p_);
#define FIELD(type, name, extent)
#define METHOD(name, value)
#define N(...) count({__VA_ARGS__})

#define IN(type, name, n) p_.name = args_.in(#name, n);
#define IN_OPT(type, name, n) p_.name = args_.in_or_null(#name, n);
#define OUT(type, name, n) p_.name = args_.out(#name, n);
#define OUT_OPT(type, name, n) p_.name = args_.out_or_null(#name, n);
#define UPDATE(type, name, n) p_.name = args_.out(#name, n);
#define WEIGHT(name, n) p_.name = args_.in_buffer(#name, n);
#define INDEX(name, n, limit)   \
  p_.name = args_.in(#name, n); \
  check_index(args_, p_.name, n, limit);

#define LENGTHS(list) p_.lengths = args_.lengths(#list);
#define IN_LIST(name) p_.name = args_.in_list(#name, p_.lengths);
#define UPDATE_LIST(name) p_.name = args_.out_list(#name, p_.lengths);

#define EACH(n, ...)                   \
  for (int64_t i_ = 0; i_ < n; ++i_) { \
    __VA_ARGS__                        \
  }
#define EACH_IN(type, name, n) p_.name[i_] = args_.in(#name, n);
#define EACH_IN_OPT(type, name, n) p_.name[i_] = args_.in_or_null(#name, n);
#define EACH_OUT(type, name, n) p_.name[i_] = args_.out(#name, n);
#define EACH_OUT_OPT(type, name, n) p_.name[i_] = args_.out_or_null(#name, n);
#define EACH_WEIGHT(name, n) p_.name[i_] = args_.in_buffer(#name, n);

#define SHAPE(type, ...) \
  void read_shape(Args& args_, type& p_) { __VA_ARGS__ }
#define KERNEL(kernel, type, ...) \
  void fill(Args& args_, type& p_) { __VA_ARGS__ }
#define KERNEL_BF16(kernel, type, ...)      \
  template <class T>                        \
  void fill(Args& args_, type##Of<T>& p_) { \
    __VA_ARGS__                             \
  }
#include "ops/ops.def"

template <class P>
P filled(Args& args) {
  P p{};
  fill(args, p);
  return p;
}

}  // namespace

#define KERNEL(kernel, type, ...) \
  template <>                     \
  type read(Args& args) {         \
    return filled<type>(args);    \
  }
#define KERNEL_BF16(kernel, type, ...)   \
  KERNEL(kernel, type)                   \
  template <>                            \
  type##Of<Bf16> read(Args& args) {      \
    return filled<type##Of<Bf16>>(args); \
  }
#include "ops/ops.def"

}  // namespace morphmlp
