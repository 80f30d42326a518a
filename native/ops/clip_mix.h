// How clips are mixed: what stands behind the tables in the settings of clip_input.
#pragma once

namespace morphmlp {

// Whole numbers but for the shares.
struct ClipMix {
  float keep, take, x, y, width, height;
};

}  // namespace morphmlp
