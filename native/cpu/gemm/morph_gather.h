// How the rows of a morph FC lie in a token tensor [tokens, C]. A *unit* is a set of tokens that is mixed: a chunk of a
// frame (spatial FCs) or one position at all time steps (temporal FC). With R tokens a unit and G groups of S = C / G
// channels, a unit has G rows of R * S: row g holds channels [g S, (g + 1) S) of token 0, then of token 1, …: runs of S
// contiguous floats. Rows are gathered into scratch, multiplied, and scattered back to the same places; no permuted
// tensor exists.
#pragma once
#include <cstdint>
#include <vector>

#include "cpu/simd/simd.h"

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

  // The rows of x that hold the tokens of unit u, in order; -1 for padding. `out` has room for `runs` entries.
  void tokens(int64_t u, int64_t* out) const;
};

// The tokens of a unit, on the stack where they fit.
class UnitTokens {
 public:
  explicit UnitTokens(const RowUnits& at) : at_(at), many_(at.runs > kFew ? at.runs : 0) {}
  const int64_t* of(int64_t unit) {
    int64_t* out = many_.empty() ? few_ : many_.data();
    at_.tokens(unit, out);
    return out;
  }

 private:
  static constexpr int64_t kFew = 128;
  const RowUnits& at_;
  int64_t few_[kFew];
  std::vector<int64_t> many_;
};

RowUnits spatial_units(int64_t frames, int64_t height, int64_t width, int64_t channels, int64_t chunk, bool vertical,
                       bool strided);
RowUnits temporal_units(int64_t clips, int64_t steps, int64_t positions, int64_t channels, int64_t groups);

// y (or, with `add`, y +=) weight[channel] * (row + bias), at the places of the rows of units [first, last): weight is
// [C] by the channel of the token, bias [R * S] by the place in the row, or null.
void add_weighted_units(const RowUnits& at, int64_t first, int64_t last, const float* a, const float* weight,
                        const float* bias, bool add, float* y);

// Units that make a block of rows worth a GEMM call: about 112 rows, a multiple of the register tile where possible.
int64_t units_per_block(const RowUnits& at);

// a[(unit - first) * G + g][R * S] = the rows of units [first, last) of x; padding gives zeros.
void gather_units(const RowUnits& at, int64_t first, int64_t last, const float* x, float* a);

// The reverse: writes each row back to its places in y.
void scatter_units(const RowUnits& at, int64_t first, int64_t last, const float* a, float* y);

}  // namespace morphmlp::MORPHMLP_ISA
