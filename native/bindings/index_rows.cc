#include "ops/index_rows.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

template <class T>
T read_shape(Args& a) {
  T p{};
  p.rows = a.size("rows");
  p.width = a.size("width");
  p.taken = a.size("taken");
  return p;
}

}  // namespace

template <>
IndexRowsForward read(Args& a) {
  auto p = read_shape<IndexRowsForward>(a);
  p.x = a.in("x", count({p.rows, p.width}));
  p.index = a.in_i32("index", p.taken);
  p.y = a.out("y", count({p.taken, p.width}));
  check_index(a, p.index, p.taken, p.rows);
  return p;
}

template <>
IndexRowsBackward read(Args& a) {
  auto p = read_shape<IndexRowsBackward>(a);
  p.dy = a.in("dy", count({p.taken, p.width}));
  p.index = a.in_i32("index", p.taken);
  p.dx = a.out("dx", count({p.rows, p.width}));
  check_index(a, p.index, p.taken, p.rows);
  return p;
}

}  // namespace morphmlp
