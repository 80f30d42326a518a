// Declares the argument structs of the op whose file OP_DEF names (native/ops/README.md explains the macros). A field
// has the name of its argument; optional tensors are null where they are not given. Included once by each <op>.h.
#include "ops/arguments.h"

#define CONSTANT(type, name, value) \
  namespace morphmlp {              \
  constexpr type name = value;      \
  }
#define SHAPE(type, ...) \
  namespace morphmlp {   \
  struct type {          \
    __VA_ARGS__          \
  };                     \
  }
#define KERNEL(kernel, type, ...) SHAPE(type, __VA_ARGS__)
#define KERNEL_BF16(kernel, type, ...) \
  namespace morphmlp {                 \
  template <class T>                   \
  struct type##Of {                    \
    __VA_ARGS__                        \
  };                                   \
  using type = type##Of<float>;        \
  }

#define AT(type) type at;
#define SIZE(name) int64_t name;
#define SIZES(name, n) int64_t name[n];
#define REAL(name) float name;
#define FLAG(name) bool name;
#define FIELD(type, name, extent) type name extent;
#define METHOD(name, value) \
  int64_t name() const { return value; }
#define LET(name, value)
#define REQUIRE(condition, message)
#define CHECK(function)

#define IN(type, name, n) const type* name;
#define IN_OPT(type, name, n) const type* name;
#define OUT(type, name, n) type* name;
#define OUT_OPT(type, name, n) type* name;
#define UPDATE(type, name, n) type* name;
#define WEIGHT(name, n) Buffer* name;
#define INDEX(name, n, limit) const int32_t* name;

#define LENGTHS(list) std::vector<int64_t> lengths;
#define IN_LIST(name) std::vector<const float*> name;
#define UPDATE_LIST(name) std::vector<float*> name;

#define EACH(n, ...) __VA_ARGS__
#define EACH_IN(type, name, n) const type* name[kMaxBranches];
#define EACH_IN_OPT(type, name, n) const type* name[kMaxBranches];
#define EACH_OUT(type, name, n) type* name[kMaxBranches];
#define EACH_OUT_OPT(type, name, n) type* name[kMaxBranches];
#define EACH_WEIGHT(name, n) Buffer* name[kMaxBranches];

#include OP_DEF

#include "ops/undefine.h"
#undef OP_DEF
