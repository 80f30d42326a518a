#include "ops/arithmetic.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

void read_dims(Args& a, const char* name, int64_t (&out)[kMaxDims]) {
  for (int64_t& value : out) value = a.size(name);
}

// The elements that a walk over dims with these strides can touch: one past the largest offset.
int64_t reach(const int64_t (&dims)[kMaxDims], const int64_t (&strides)[kMaxDims], int64_t start = 1) {
  double last = static_cast<double>(start);
  for (int i = 0; i < kMaxDims; ++i) {
    if (dims[i] == 0) return 0;
    last += static_cast<double>(dims[i] - 1) * static_cast<double>(strides[i]);
  }
  return last > 9007199254740992.0 ? INT64_MAX : static_cast<int64_t>(last);
}

int64_t elements(const int64_t (&d)[kMaxDims]) { return count({d[0], d[1], d[2], d[3], d[4], d[5]}); }

// The kernel takes the last dimension as whole vectors, or as one number for all.
bool runs(const int64_t (&dims)[kMaxDims], const int64_t (&strides)[kMaxDims]) {
  return dims[kMaxDims - 1] <= 1 || strides[kMaxDims - 1] <= 1;
}

}  // namespace

template <class T>
void fill(Args& a, ArithmeticForwardOf<T>& p) {
  p.kind = a.size("kind");
  if (p.kind > 3) a.reject("kind must be 0 to 3, got " + std::to_string(p.kind));
  read_dims(a, "dims", p.dims);
  read_dims(a, "stride_a", p.stride_a);
  read_dims(a, "stride_b", p.stride_b);
  p.length_a = a.size("length_a");
  p.length_b = a.size("length_b");
  if (reach(p.dims, p.stride_a) > p.length_a || reach(p.dims, p.stride_b) > p.length_b)
    a.reject("the strides reach beyond an operand");
  if (!runs(p.dims, p.stride_a) || !runs(p.dims, p.stride_b)) a.reject("the last stride must be 0 or 1");
  p.a = a.in("a", p.length_a);
  p.b = a.in("b", p.length_b);
  p.y = a.out("y", elements(p.dims));
}
READS_FLOATS(ArithmeticForward)

template <class T>
void fill(Args& a, ArithmeticReduceOf<T>& p) {
  read_dims(a, "kept", p.kept);
  read_dims(a, "kept_stride", p.kept_stride);
  read_dims(a, "reduced", p.reduced);
  read_dims(a, "reduced_stride", p.reduced_stride);
  p.length_x = a.size("length_x");
  if (count({elements(p.kept), elements(p.reduced)}) != p.length_x) a.reject("kept and reduced must make up x");
  const int64_t inner = reach(p.reduced, p.reduced_stride);
  if (inner > 0 && reach(p.kept, p.kept_stride, inner) > p.length_x) a.reject("the strides reach beyond x");
  p.x = a.in("x", p.length_x);
  p.y = a.out("y", elements(p.kept));
}
READS_FLOATS(ArithmeticReduce)

}  // namespace morphmlp
