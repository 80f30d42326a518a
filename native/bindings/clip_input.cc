#include "ops/clip_input.h"

#include "bindings/args.h"

namespace morphmlp {

template <class T>
void fill(Args& a, ClipInputForwardOf<T>& p) {
  p.clips = a.size("clips");
  p.frames = a.size("frames");
  p.height = a.size("height");
  p.width = a.size("width");
  const int64_t numbers = count({p.clips, p.frames, p.height, p.width, 3});
  p.pixels = a.in_u8("pixels", numbers);
  p.settings = a.in("settings", kClipSettings);
  p.x = a.out("x", numbers);
}
READS_FLOATS(ClipInputForward)

}  // namespace morphmlp
