#include "kernels/morph_fc.h"

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
  at.vertical = a.flag("vertical");
  at.strided = a.flag("strided");
  if (at.chunk < 1 || at.channels % at.chunk != 0) a.reject("channels must be a multiple of chunk");
  return at;
}

int64_t elements(const MorphFcShape& at) { return count({at.frames, at.height, at.width, at.channels}); }

}  // namespace

template <>
MorphFcForward read(Args& a) {
  MorphFcForward p{};
  p.at = read_shape(a);
  p.x = a.in("x", elements(p.at));
  p.weight = a.in_buffer("weight", count({p.at.channels, p.at.channels}));
  p.bias = a.in_or_null("bias", p.at.channels);
  p.y = a.out("y", elements(p.at));
  return p;
}

template <>
MorphFcBackward read(Args& a) {
  MorphFcBackward p{};
  p.at = read_shape(a);
  p.x = a.in("x", elements(p.at));
  p.weight = a.in_buffer("weight", count({p.at.channels, p.at.channels}));
  p.dy = a.in("dy", elements(p.at));
  p.dx = a.out_or_null("dx", elements(p.at));
  p.dweight = a.out_or_null("dweight", count({p.at.channels, p.at.channels}));
  p.dbias = a.out_or_null("dbias", p.at.channels);
  return p;
}

}  // namespace morphmlp
