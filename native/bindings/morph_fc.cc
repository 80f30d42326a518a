#include "ops/morph_fc.h"

#include "bindings/args.h"

namespace morphmlp {
namespace {

MorphFcShape read_shape(Args& a) {
  MorphFcShape at{};
  at.frames = a.size("frames");
  at.height = a.size("height");
  at.width = a.size("width");
  at.channels = a.size("channels");
  at.chunk = a.size("chunk");
  at.groups = a.size("groups");
  at.vertical = a.flag("vertical");
  at.strided = a.flag("strided");
  if (at.chunk < 1) a.reject("chunk must be at least 1");
  if (at.groups < 1 || at.channels % at.groups != 0) a.reject("channels must be a multiple of groups");
  count({at.chunk, at.channels / at.groups});  // refuses a row() that no integer holds
  return at;
}

int64_t elements(const MorphFcShape& at) { return count({at.frames, at.height, at.width, at.channels}); }

}  // namespace

template <class T>
void fill(Args& a, MorphFcForwardOf<T>& p) {
  p.at = read_shape(a);
  p.x = a.in("x", elements(p.at));
  p.weight = a.in_buffer("weight", count({p.at.row(), p.at.row()}));
  p.bias = a.in_or_null("bias", p.at.row());
  p.y = a.out("y", elements(p.at));
}
READS_FLOATS(MorphFcForward)

template <class T>
void fill(Args& a, MorphFcBackwardOf<T>& p) {
  p.at = read_shape(a);
  p.x = a.in("x", elements(p.at));
  p.weight = a.in_buffer("weight", count({p.at.row(), p.at.row()}));
  p.dy = a.in("dy", elements(p.at));
  p.dx = a.out_or_null("dx", elements(p.at));
  p.dweight = a.out_or_null("dweight", count({p.at.row(), p.at.row()}));
  p.dbias = a.out_or_null("dbias", p.at.row());
}
READS_FLOATS(MorphFcBackward)

}  // namespace morphmlp
