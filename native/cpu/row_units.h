// How the rows of a morph FC lie in a token tensor [tokens, C]. A *unit* is a set of tokens that is mixed: a chunk of a
// frame (spatial FCs) or one position at all time steps (temporal FC). With R tokens a unit and G groups of S = C / G
// channels, a unit has G rows of R * S: row g holds channels [g S, (g + 1) S) of token 0, then of token 1, …: runs of S
// contiguous floats. Rows are gathered into scratch, multiplied, and scattered back to the same places; no permuted
// tensor exists.
#pragma once
#include <cstdint>

#include "cpu/simd.h"

namespace morphmlp::MORPHMLP_ISA {

struct RowUnits {
  int64_t units;     // chunks of all frames, or positions of all clips
  int64_t runs;      // R: tokens a unit
  int64_t groups;    // G: rows a unit
  int64_t run;       // S: channels a run
  int64_t channels;  // C = G * S

  // Spatial units: token n of a frame is j * L + l ("consecutive") or l * J + j ("strided", stage 4), counted along
  // rows or, with `vertical`, along columns. Tokens past the end of the frame read as zero and are never written.
  // Temporal units: token l of a unit is frame l of its clip.
  int64_t frame_tokens;  // H * W
  int64_t height, width;
  int64_t chunks;  // J: units a frame; 0 for temporal units
  bool vertical, strided;

  int64_t row_length() const { return runs * run; }

  // The row of x that holds token l of unit u, or -1 for padding.
  int64_t token(int64_t u, int64_t l) const {
    if (chunks == 0) return (u / frame_tokens * runs + l) * frame_tokens + u % frame_tokens;
    const int64_t frame = u / chunks, j = u % chunks;
    const int64_t n = strided ? l * chunks + j : j * runs + l;
    if (n >= frame_tokens) return -1;
    return frame * frame_tokens + (vertical ? n % height * width + n / height : n);
  }
};

RowUnits spatial_units(int64_t frames, int64_t height, int64_t width, int64_t channels, int64_t chunk, bool vertical,
                       bool strided);
RowUnits temporal_units(int64_t clips, int64_t steps, int64_t positions, int64_t channels, int64_t groups);

// Units that make a block of rows worth a GEMM call: about 112 rows, a multiple of the register tile where possible.
int64_t units_per_block(const RowUnits& at);

// a[(unit - first) * G + g][R * S] = the rows of units [first, last) of x; padding gives zeros.
void gather_units(const RowUnits& at, int64_t first, int64_t last, const float* x, float* a);

// The reverse: writes each row back to its places in y. With `bias` [R * S] added to every row.
void scatter_units(const RowUnits& at, int64_t first, int64_t last, const float* a, const float* bias, float* y);

}  // namespace morphmlp::MORPHMLP_ISA
