// Gather and scatter of the rows of a morph FC from a token tensor [tokens, C].
//
// A chunk is a set of tokens that one FC mixes: L tokens of a frame (spatial FCs) or all time steps of one position
// (temporal FC). With G groups of S = C / G channels, a chunk has G rows of L * S floats: row g holds channels
// [g S, (g + 1) S) of token 0, then of token 1, and so on. Rows are gathered into scratch, multiplied and scattered
// back to the same elements; no permuted tensor exists.
#pragma once
#include <cstdint>
#include <vector>

#include "cpu/simd/simd.h"

namespace morphmlp::MORPHMLP_ISA {

struct MorphLayout {
  int64_t chunks;          // of all frames, or positions of all clips
  int64_t chunk_tokens;    // L
  int64_t groups;          // G: rows per chunk
  int64_t group_channels;  // S
  int64_t channels;        // C = G * S

  // Spatial chunks: token n of a frame is j * L + l ("consecutive") or l * J + j ("strided", stage 4), counted along
  // rows or, if `vertical`, along columns. Tokens past the end of the frame read as zero and are never written.
  // Temporal chunks: token l of a chunk is frame l of its clip.
  int64_t frame_tokens;  // H * W
  int64_t height, width;
  int64_t chunks_per_frame;  // J; 0 for temporal chunks
  bool vertical, strided;

  int64_t row_length() const { return chunk_tokens * group_channels; }

  // Writes the row of x of each token of the chunk, in order, to out[chunk_tokens]; -1 for padding.
  void token_indices(int64_t chunk, int64_t* out) const;
};

// Token indices of one chunk at a time, on the stack if they fit.
class TokenIndices {
 public:
  explicit TokenIndices(const MorphLayout& at) : at_(at), heap_(at.chunk_tokens > kStackTokens ? at.chunk_tokens : 0) {}
  const int64_t* of(int64_t chunk) {
    int64_t* out = heap_.empty() ? stack_ : heap_.data();
    at_.token_indices(chunk, out);
    return out;
  }

 private:
  static constexpr int64_t kStackTokens = 128;
  const MorphLayout& at_;
  int64_t stack_[kStackTokens];
  std::vector<int64_t> heap_;
};

MorphLayout spatial_layout(int64_t frames, int64_t height, int64_t width, int64_t channels, int64_t chunk,
                           bool vertical, bool strided);
MorphLayout temporal_layout(int64_t clips, int64_t steps, int64_t positions, int64_t channels, int64_t groups);

// Scatters weight[channel] * (row + bias) to y, or adds it if `add`, for the rows of chunks [first, last). weight is
// [C], indexed by the token's channel; bias is [L * S], indexed by the element of the row, or null.
void scatter_weighted(const MorphLayout& at, int64_t first, int64_t last, const float* a, const float* weight,
                      const float* bias, bool add, float* y);

// Chunks per block of rows for one GEMM call: about 112 rows, a multiple of the register tile if possible.
int64_t chunks_per_block(const MorphLayout& at);

// a[(chunk - first) * G + g][L * S] = the rows of chunks [first, last) of x; padding is zero.
template <class E>
void gather_chunks(const MorphLayout& at, int64_t first, int64_t last, const E* x, E* a);

// Inverse of gather_chunks for rows that are `stride` elements apart: writes each row back to y. Padding is dropped.
template <class E>
void scatter_chunks(const MorphLayout& at, int64_t first, int64_t last, const E* a, int64_t stride, E* y);

}  // namespace morphmlp::MORPHMLP_ISA
